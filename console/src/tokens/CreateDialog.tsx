import type { RefObject } from "preact";
import { useRef, useState } from "preact/hooks";
import { ApiProblem, NetworkProblem } from "../api/problem";
import type { Grants, NewToken, Token } from "../api/schema";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { ProblemNote } from "../components/ProblemNote";
import { useSubmit } from "../components/useSubmit";
import { check, creationOf, type Draft } from "./draft";
import { defaultLife } from "./expiry";
import { ShownOnce } from "./ShownOnce";
import { createToken, type GrantsState, type Home } from "./source";
import { shownFields, TokenFields } from "./TokenFields";

interface Props {
    home: Home;
    title: string;
    grants: GrantsState;
    // The token without its secret. Lost: it was made, but the answer that held it never arrived.
    onMade: (token: Token, lost: boolean) => void;
    // The dialog was closed, and nobody knows whether a token of this name was made.
    onUnanswered: (name: string) => void;
    onClose: () => void;
}

export function CreateDialog({ home, title, grants, onMade, onUnanswered, onClose }: Props) {
    const unanswered = useRef<string | null>(null);
    function close(): void {
        if (unanswered.current !== null) {
            onUnanswered(unanswered.current);
        }
        onClose();
    }
    const [made, setMade] = useState<NewToken | null>(null);
    if (made && grants.value) {
        return <ShownOnce token={made} example={grants.value.example} onClose={onClose} />;
    }
    function done(token: Token | NewToken): void {
        if ("token" in token) {
            const { token: _, ...known } = token;
            setMade(token);
            onMade(known, false);
        } else {
            onMade(token, true);
            onClose();
        }
    }
    return (
        <Dialog title={title} onClose={close} wide>
            {grants.value ? (
                <CreateForm
                    home={home}
                    grants={grants.value}
                    unanswered={unanswered}
                    onDone={done}
                    onClose={close}
                />
            ) : (
                <div class="dialog-body waiting">
                    <ProblemNote problem={grants.problem} />
                </div>
            )}
        </Dialog>
    );
}

interface FormProps {
    home: Home;
    grants: Grants;
    unanswered: RefObject<string>;
    onDone: (token: Token | NewToken) => void;
    onClose: () => void;
}

function CreateForm({ home, grants, unanswered, onDone, onClose }: FormProps) {
    const [draft, setDraft] = useState<Draft>(() => ({
        name: "",
        description: "",
        expiry: { kind: "preset", duration: defaultLife(grants.policy) },
        role: null,
        limited: home !== null,
        scopes: new Set(),
        allow: "",
    }));
    const create = useCreation(home);
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        check(draft, true);
        unanswered.current = draft.name;
        const made = await create(draft).catch((error: unknown) => {
            if (error instanceof ApiProblem) {
                unanswered.current = null;
            }
            throw error;
        });
        unanswered.current = null;
        onDone(made);
    });
    return (
        <form ref={form} onSubmit={onSubmit} noValidate>
            <div class="dialog-body">
                <ProblemNote problem={problem} fields={shownFields} />
                <TokenFields
                    home={home}
                    draft={draft}
                    onChange={(change) => setDraft((now) => ({ ...now, ...change }))}
                    grants={grants}
                    error={error}
                />
            </div>
            <footer class="dialog-foot">
                <Button onClick={onClose}>Cancel</Button>
                <Button kind="primary" type="submit" busy={busy}>
                    Create token
                </Button>
            </footer>
        </form>
    );
}

// Sends the same creation with the same key, so that a connection that breaks makes no second token:
// once more by itself, and again whenever the person tries again.
function useCreation(home: Home): (draft: Draft) => Promise<Token | NewToken> {
    const sent = useRef({ text: "", key: "" });
    return async (draft) => {
        const body = creationOf(draft);
        const text = JSON.stringify(body);
        if (sent.current.text !== text) {
            sent.current = { text, key: crypto.randomUUID() };
        }
        const { key } = sent.current;
        try {
            return (await createToken(home, body, key)).value;
        } catch (error) {
            if (!(error instanceof NetworkProblem)) {
                throw error;
            }
            return (await createToken(home, body, key)).value;
        }
    };
}
