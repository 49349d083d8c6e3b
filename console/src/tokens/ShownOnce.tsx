import { useState } from "preact/hooks";
import type { Grants, NewToken } from "../api/schema";
import { Button } from "../components/Button";
import { Copy } from "../components/Copy";
import { Dialog } from "../components/Dialog";
import { Note } from "../components/Note";
import { useSession } from "../session";
import { curlLine } from "./curl";
import { useLeaveGuard } from "./useLeaveGuard";

interface Props {
    token: NewToken;
    example: Grants["example"];
    onClose: () => void;
}

// A new token, this once. It is nowhere but in what this renders; leaving asks first, unless it was
// copied.
export function ShownOnce({ token, example, onClose }: Props) {
    const { me } = useSession();
    const [copied, setCopied] = useState(false);
    const [asking, setAsking] = useState(false);
    useLeaveGuard({ asks: !copied, ask: () => setAsking(true), forget: onClose });
    const curl = curlLine(token, example, me);
    return (
        <Dialog
            title="Copy your token now"
            wide
            onClose={() => (copied ? onClose() : setAsking(true))}
        >
            <div class="dialog-body" onCopy={() => setCopied(copied || String(getSelection()).includes(token.token))}>
                <p>
                    This is <strong>{token.name}</strong>. It is shown this once: nobody can show it to you again.
                </p>
                <h3 id="new-token">Token</h3>
                <div class="secret">
                    <code tabIndex={0} role="textbox" aria-readonly="true" aria-labelledby="new-token">
                        {token.token}
                    </code>
                    <Copy text={token.token} label="Copy token" focus onCopied={() => setCopied(true)} />
                </div>
                <h3 id="new-token-curl">Try it</h3>
                <div class="secret">
                    <code tabIndex={0} role="textbox" aria-readonly="true" aria-labelledby="new-token-curl">
                        {curl}
                    </code>
                    <Copy text={curl} label="Copy command" onCopied={() => setCopied(true)} />
                </div>
                <Note tone="warn">Keep it where you keep passwords. Do not send it, and do not put it into code.</Note>
            </div>
            <footer class="dialog-foot">
                <Button kind="primary" onClick={() => (copied ? onClose() : setAsking(true))}>
                    Done
                </Button>
            </footer>
            {asking && (
                <Dialog title="Leave without the token?" role="alertdialog" onClose={() => setAsking(false)}>
                    <div class="dialog-body">
                        <p>You have not copied it, and it is never shown again. Without it, you can only rotate or delete it.</p>
                    </div>
                    <footer class="dialog-foot">
                        <Button onClick={onClose}>Leave without it</Button>
                        <Button kind="primary" autoFocus onClick={() => setAsking(false)}>
                            Stay
                        </Button>
                    </footer>
                </Dialog>
            )}
        </Dialog>
    );
}
