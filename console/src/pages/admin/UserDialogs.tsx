import { useState } from "preact/hooks";
import { call } from "../../api/client";
import type { User } from "../../api/schema";
import { useEdit, useRebase } from "../../api/useEdit";
import { Button } from "../../components/Button";
import { ConflictNote } from "../../components/ConflictNote";
import { Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { ProblemNote } from "../../components/ProblemNote";
import { useSubmit } from "../../components/useSubmit";

interface Draft {
    display_name: string;
    email: string;
    sso_name: string;
}

const fieldNames = ["id", "display_name", "email", "sso_name"];

function draftOf(user: User): Draft {
    return { display_name: user.display_name ?? "", email: user.email ?? "", sso_name: user.sso_name ?? "" };
}

function bodyOf(draft: Draft) {
    return {
        display_name: draft.display_name.trim() || null,
        email: draft.email.trim() || null,
        sso_name: draft.sso_name.trim() || null,
    };
}

export function CreateUser({ onClose, onDone }: { onClose: () => void; onDone: (user: User) => void }) {
    const [id, setId] = useState("");
    const [draft, setDraft] = useState<Draft>({ display_name: "", email: "", sso_name: "" });
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        onDone((await call("post", "/api/v1/users", { body: { id: id.trim(), ...bodyOf(draft) } })).value);
    });
    return (
        <Dialog title="New person" onClose={onClose}>
            <form ref={form} onSubmit={onSubmit} noValidate>
                <div class="dialog-body">
                    <ProblemNote problem={problem} fields={fieldNames} />
                    <Field label="User" hint="What they log in with. It cannot be changed later." error={error("id")}>
                        {(control) => (
                            <input
                                {...control}
                                value={id}
                                autocomplete="off"
                                autocapitalize="none"
                                spellcheck={false}
                                onInput={(event) => setId(event.currentTarget.value)}
                            />
                        )}
                    </Field>
                    <UserFields draft={draft} onChange={setDraft} error={error} />
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Cancel</Button>
                    <Button kind="primary" type="submit" busy={busy}>
                        Add person
                    </Button>
                </footer>
            </form>
        </Dialog>
    );
}

export function EditUser({ user, onClose, onDone }: { user: User; onClose: () => void; onDone: () => void }) {
    const [draft, setDraft] = useState(() => draftOf(user));
    const edit = useEdit(() => call("get", "/api/v1/users/{user}", { path: { user: user.id } }));
    useRebase(edit.conflict, draftOf, setDraft);
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        const options = { path: { user: user.id }, body: bodyOf(draft) };
        await edit.save((ifMatch) => call("patch", "/api/v1/users/{user}", { ...options, ifMatch }));
        onDone();
    });
    return (
        <Dialog title={`Edit ${user.id}`} onClose={onClose}>
            <form ref={form} onSubmit={onSubmit} noValidate>
                <div class="dialog-body">
                    <ConflictNote
                        conflict={edit.conflict}
                        fields={{
                            Name: (each) => each.display_name ?? "",
                            "E-mail": (each) => each.email ?? "",
                            "Name for sign-on": (each) => each.sso_name ?? "",
                            Disabled: (each) => (each.disabled ? "yes" : "no"),
                        }}
                        onTake={(now) => {
                            setDraft(draftOf(now));
                            edit.settle();
                        }}
                    />
                    <ProblemNote problem={edit.conflict ? null : (edit.problem ?? problem)} fields={fieldNames} />
                    <UserFields draft={draft} onChange={setDraft} error={error} />
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Cancel</Button>
                    <Button kind="primary" type="submit" busy={busy || !edit.base}>
                        Save
                    </Button>
                </footer>
            </form>
        </Dialog>
    );
}

interface FieldsProps {
    draft: Draft;
    onChange: (draft: Draft) => void;
    error: (field: string) => string | undefined;
}

function UserFields({ draft, onChange, error }: FieldsProps) {
    return (
        <>
            <Field label="Name" error={error("display_name")} optional>
                {(control) => (
                    <input
                        {...control}
                        value={draft.display_name}
                        autocomplete="off"
                        onInput={(event) => onChange({ ...draft, display_name: event.currentTarget.value })}
                    />
                )}
            </Field>
            <Field label="E-mail" error={error("email")} optional>
                {(control) => (
                    <input
                        {...control}
                        type="email"
                        value={draft.email}
                        autocomplete="off"
                        onInput={(event) => onChange({ ...draft, email: event.currentTarget.value })}
                    />
                )}
            </Field>
            <Field
                label="Name for sign-on"
                hint="What single sign-on calls them, if it is not the user."
                error={error("sso_name")}
                optional
            >
                {(control) => (
                    <input
                        {...control}
                        value={draft.sso_name}
                        autocomplete="off"
                        spellcheck={false}
                        onInput={(event) => onChange({ ...draft, sso_name: event.currentTarget.value })}
                    />
                )}
            </Field>
        </>
    );
}
