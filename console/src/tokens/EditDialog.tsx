import { useEffect, useState } from "preact/hooks";
import { call } from "../api/client";
import type { Grants, Token } from "../api/schema";
import { useEdit, type Edit } from "../api/useEdit";
import { Button } from "../components/Button";
import { ConflictNote } from "../components/ConflictNote";
import { Dialog } from "../components/Dialog";
import { ProblemNote } from "../components/ProblemNote";
import { useSubmit } from "../components/useSubmit";
import { dateOf } from "../text/time";
import { check, draftOf, rebased, updateOf } from "./draft";
import type { GrantsState, Home } from "./source";
import { shownFields, TokenFields } from "./TokenFields";
import { TokenFacts } from "./TokenFacts";

interface Props {
    home: Home;
    id: string;
    // null: the person may only look at it.
    grants: GrantsState | null;
    onSaved: (token: Token) => void;
    onClose: () => void;
}

// Everything about a token, and a form for what can be changed of it.
export function EditDialog({ home, id, grants, onSaved, onClose }: Props) {
    const edit = useEdit(() => call("get", "/api/v1/tokens/{id}", { path: { id } }));
    const token = edit.base;
    const problem = edit.problem ?? grants?.problem ?? null;
    return (
        <Dialog title={token?.name ?? "Token"} onClose={onClose} wide>
            {token && grants?.value ? (
                <EditForm
                    home={home}
                    edit={edit}
                    token={token}
                    grants={grants.value}
                    onSaved={onSaved}
                    onClose={onClose}
                />
            ) : (
                <>
                    <div class={token || problem ? "dialog-body" : "dialog-body waiting"}>
                        <ProblemNote problem={problem} />
                        {token && <TokenFacts token={token} all />}
                    </div>
                    <footer class="dialog-foot">
                        <Button onClick={onClose}>Close</Button>
                    </footer>
                </>
            )}
        </Dialog>
    );
}

interface FormProps {
    home: Home;
    edit: Edit<Token>;
    token: Token;
    grants: Grants;
    onSaved: (token: Token) => void;
    onClose: () => void;
}

function EditForm({ home, edit, token, grants, onSaved, onClose }: FormProps) {
    const [draft, setDraft] = useState(() => draftOf(token));
    const { conflict } = edit;
    useEffect(() => {
        if (conflict) {
            setDraft((now) => rebased(now, conflict.was, conflict.now));
        }
    }, [conflict]);
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        check(draft, false);
        const options = { path: { id: token.id }, body: updateOf(draft, token) };
        const answer = await edit.save((ifMatch) =>
            call("patch", "/api/v1/tokens/{id}", { ...options, ifMatch }),
        );
        onSaved(answer.value);
    });
    return (
        <form ref={form} onSubmit={onSubmit} noValidate>
            <div class="dialog-body">
                <ConflictNote
                    conflict={conflict}
                    fields={fieldTexts}
                    onTake={(now) => {
                        setDraft(draftOf(now));
                        edit.settle();
                    }}
                />
                <ProblemNote problem={conflict ? null : problem} fields={shownFields} />
                <TokenFacts token={token} />
                <TokenFields
                    home={home}
                    draft={draft}
                    onChange={(change) => setDraft((now) => ({ ...now, ...change }))}
                    grants={grants}
                    error={error}
                    token={token}
                    final={token.status === "expired" || token.successor !== null}
                />
            </div>
            <footer class="dialog-foot">
                <Button onClick={onClose}>Cancel</Button>
                <Button kind="primary" type="submit" busy={busy}>
                    Save changes
                </Button>
            </footer>
        </form>
    );
}

// What somebody else may have changed meanwhile, in words.
const fieldTexts: Record<string, (token: Token) => string> = {
    Name: (token) => token.name,
    Description: (token) => token.description,
    Expiration: (token) => (token.expires === null ? "never" : dateOf(token.expires)),
    Role: (token) => token.role ?? "none",
    Permissions: (token) => token.scopes?.join(", ") ?? "no list of its own",
    "Allowed addresses": (token) => token.allow.join(", ") || "all",
};
