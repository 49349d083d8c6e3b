import { useEffect, useRef } from "preact/hooks";
import { Button } from "../components/Button";
import { Icon } from "../components/Icon";
import type { Change } from "./changes";

interface Props {
    changes: Change[];
    // Whether to keep what was typed.
    onTake: (keep: boolean) => void;
}

// Somebody else was faster: what they changed, and what to do about it.
export function Conflict({ changes, onTake }: Props) {
    const note = useRef<HTMLDivElement>(null);
    useEffect(() => note.current?.focus(), []);
    return (
        <div class="note warn" role="alert" tabIndex={-1} ref={note}>
            <Icon name="alert" />
            <div>
                <p>Somebody changed this token while you did. Nothing of yours is saved yet.</p>
                <ul>
                    {changes.map((change) => (
                        <li key={change.field}>
                            {change.field}: “{change.from}” is now “{change.to}”
                        </li>
                    ))}
                </ul>
                <div class="actions">
                    <Button onClick={() => onTake(true)}>Reload, and keep what I typed</Button>
                    <Button onClick={() => onTake(false)}>Take theirs</Button>
                </div>
            </div>
        </div>
    );
}
