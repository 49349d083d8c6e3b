import { useState } from "preact/hooks";
import { call } from "../api/client";
import { NetworkProblem } from "../api/problem";
import type { NewToken, Token } from "../api/schema";
import { Button } from "../components/Button";
import { Choices } from "../components/Choices";
import { Dialog } from "../components/Dialog";
import { ProblemNote } from "../components/ProblemNote";
import { useSubmit } from "../components/useSubmit";
import { readToken } from "./readToken";
import { ShownOnce } from "./ShownOnce";
import type { GrantsState } from "./source";

const graces = [
    { value: "0s", label: "Not at all" },
    { value: "1h", label: "1 hour" },
    { value: "24h", label: "1 day" },
    { value: "7d", label: "7 days" },
    { value: "30d", label: "30 days" },
];

interface Props {
    token: Token;
    grants: GrantsState;
    // The successor without its secret; lost: the answer that held it never arrived.
    onMade: (token: Token, lost: boolean) => void;
    onClose: () => void;
}

export function RotateDialog({ token, grants, onMade, onClose }: Props) {
    const [grace, setGrace] = useState("24h");
    const [made, setMade] = useState<NewToken | null>(null);
    const { form, onSubmit, busy, problem } = useSubmit(async () => {
        const path = { id: token.id };
        try {
            const { value } = await call("post", "/api/v1/tokens/{id}/rotate", { path, body: { grace } });
            const { token: _, ...known } = value;
            setMade(value);
            onMade(known, false);
        } catch (error) {
            const lost = error instanceof NetworkProblem ? await successorOf(token.id) : null;
            if (!lost) {
                throw error;
            }
            onMade(lost, true);
            onClose();
        }
    });
    if (made && grants.value) {
        return <ShownOnce token={made} example={grants.value.example} onClose={onClose} />;
    }
    return (
        <Dialog title="Rotate token" onClose={onClose}>
            <form ref={form} onSubmit={onSubmit}>
                <div class="dialog-body">
                    <ProblemNote problem={problem} fields={["grace"]} />
                    <p>
                        A new token takes the place of <strong class="break">{token.name}</strong>, with the same rights.
                    </p>
                    <Choices
                        legend="The old one works on for"
                        compact
                        choices={graces}
                        value={grace}
                        onChange={setGrace}
                    >
                        <p class="hint">So that you can replace it wherever it is in use.</p>
                    </Choices>
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Cancel</Button>
                    <Button kind="primary" type="submit" busy={busy}>
                        Rotate token
                    </Button>
                </footer>
            </form>
        </Dialog>
    );
}

// Whether it was rotated although no answer came.
async function successorOf(id: string): Promise<Token | null> {
    const { successor } = (await readToken(id)).token;
    return successor === null ? null : (await readToken(successor)).token;
}
