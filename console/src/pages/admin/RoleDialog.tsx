import { useState } from "preact/hooks";
import { call } from "../../api/client";
import { asTaken } from "../../api/problem";
import type { Role } from "../../api/schema";
import { useEdit, useRebase } from "../../api/useEdit";
import { Button } from "../../components/Button";
import { ConflictNote } from "../../components/ConflictNote";
import { Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { ProblemNote } from "../../components/ProblemNote";
import { useSubmit } from "../../components/useSubmit";

interface Props {
    // null: a new one.
    role: Role | null;
    onClose: () => void;
    onDone: (role: Role) => void;
}

interface Draft {
    description: string;
    // One a line.
    scopes: string;
}

function draftOf(role: Role): Draft {
    return { description: role.description, scopes: role.scopes.join("\n") };
}

export function RoleDialog({ role, onClose, onDone }: Props) {
    const [id, setId] = useState(role?.id ?? "");
    const [draft, setDraft] = useState(() => (role ? draftOf(role) : { description: "", scopes: "" }));
    const edit = useEdit(() => call("get", "/api/v1/roles/{role}", { path: { role: role?.id ?? "" } }), role !== null);
    useRebase(edit.conflict, draftOf, setDraft);
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        const body = { description: draft.description || null, scopes: draft.scopes.split(/\s+/).filter(Boolean) };
        const put = (condition: object) => call("put", "/api/v1/roles/{role}", { path: { role: id.trim() }, body, ...condition });
        const answer = role
            ? await edit.save((ifMatch) => put({ ifMatch }))
            : await put({ ifNew: true }).catch((refused: unknown) => {
                  throw asTaken(refused, "id", "there is a role of this name already");
              });
        onDone(answer.value);
    });
    return (
        <Dialog title={role ? `Edit the role ${role.id}` : "New role"} onClose={onClose}>
            <form ref={form} onSubmit={onSubmit} noValidate>
                <div class="dialog-body">
                    <ConflictNote
                        conflict={edit.conflict}
                        fields={{ Description: (each) => each.description, Scopes: (each) => each.scopes.join(" ") }}
                        onTake={(now) => {
                            setDraft(draftOf(now));
                            edit.settle();
                        }}
                    />
                    <ProblemNote
                        problem={edit.conflict ? null : (edit.problem ?? problem)}
                        fields={["id", "description", "scopes"]}
                    />
                    {!role && (
                        <Field label="Name" hint="Letters, digits, . _ and -. It cannot be changed later." error={error("id")}>
                            {(control) => (
                                <input
                                    {...control}
                                    value={id}
                                    autocomplete="off"
                                    spellcheck={false}
                                    onInput={(event) => setId(event.currentTarget.value)}
                                />
                            )}
                        </Field>
                    )}
                    <Field label="Description" error={error("description")} optional>
                        {(control) => (
                            <input
                                {...control}
                                value={draft.description}
                                autocomplete="off"
                                onInput={(event) => setDraft({ ...draft, description: event.currentTarget.value })}
                            />
                        )}
                    </Field>
                    <Field
                        label="Scopes"
                        hint="One a line, such as agents:read, or agents:* for all that begin so. Those that begin with auth: let their holder manage."
                        error={error("scopes")}
                    >
                        {(control) => (
                            <textarea
                                {...control}
                                class="mono"
                                rows={6}
                                value={draft.scopes}
                                spellcheck={false}
                                onInput={(event) => setDraft({ ...draft, scopes: event.currentTarget.value })}
                            />
                        )}
                    </Field>
                    {role && <p class="hint">Whoever has this role, people and tokens, can do this from then on.</p>}
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Cancel</Button>
                    <Button kind="primary" type="submit" busy={busy || (role !== null && !edit.base)}>
                        {role ? "Save" : "Add role"}
                    </Button>
                </footer>
            </form>
        </Dialog>
    );
}
