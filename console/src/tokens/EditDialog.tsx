import { useState } from "preact/hooks";
import { call } from "../api/client";
import { ApiProblem } from "../api/problem";
import type { Grants, Token } from "../api/schema";
import { useLoad } from "../api/useLoad";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { ProblemNote } from "../components/ProblemNote";
import { useSubmit } from "../components/useSubmit";
import { changesOf, type Change } from "./changes";
import { Conflict } from "./Conflict";
import { check, draftOf, rebased, updateOf } from "./draft";
import { readToken, type Tagged } from "./readToken";
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
    const loaded = useLoad(id, (signal) => readToken(id, signal));
    const token = loaded.value?.token;
    const problem = loaded.problem ?? grants?.problem ?? null;
    const ready = loaded.value !== null && grants !== null && grants.value !== null;
    return (
        <Dialog title={token?.name ?? "Token"} onClose={onClose} wide>
            {loaded.value && grants?.value ? (
                <EditForm
                    home={home}
                    start={loaded.value}
                    grants={grants.value}
                    onSaved={onSaved}
                    onClose={onClose}
                />
            ) : (
                <div class={token || problem ? "dialog-body" : "dialog-body waiting"}>
                    <ProblemNote problem={problem} />
                    {token && <TokenFacts token={token} />}
                </div>
            )}
            {!ready && (
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Close</Button>
                </footer>
            )}
        </Dialog>
    );
}

interface FormProps {
    home: Home;
    start: Tagged;
    grants: Grants;
    onSaved: (token: Token) => void;
    onClose: () => void;
}

function EditForm({ home, start, grants, onSaved, onClose }: FormProps) {
    const [base, setBase] = useState(start);
    const [draft, setDraft] = useState(() => draftOf(start.token));
    const [conflict, setConflict] = useState<{ now: Tagged; changes: Change[] } | null>(null);
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        check(draft, false);
        const body = updateOf(draft, base.token);
        const { id } = base.token;
        setConflict(null);
        try {
            const answer = await call("patch", "/api/v1/tokens/{id}", {
                path: { id },
                body,
                ifMatch: base.etag,
            });
            onSaved(answer.value);
        } catch (error) {
            if (error instanceof ApiProblem && error.code === "changed_meanwhile") {
                const now = await readToken(id);
                setConflict({ now, changes: changesOf(base.token, now.token) });
            }
            throw error;
        }
    });
    function take(keep: boolean): void {
        if (conflict) {
            setDraft(
                keep
                    ? rebased(draft, base.token, conflict.now.token)
                    : draftOf(conflict.now.token),
            );
            setBase(conflict.now);
            setConflict(null);
        }
    }
    const { token } = base;
    return (
        <form ref={form} onSubmit={onSubmit} noValidate>
            <div class="dialog-body">
                {conflict ? (
                    <Conflict changes={conflict.changes} onTake={take} />
                ) : (
                    <ProblemNote problem={settled(problem, base !== start)} fields={shownFields} />
                )}
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

// A conflict that was answered is none any more.
function settled<T>(problem: T | null, answered: boolean): T | null {
    return answered && problem instanceof ApiProblem && problem.code === "changed_meanwhile"
        ? null
        : problem;
}
