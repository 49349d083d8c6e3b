import type { ComponentChildren } from "preact";
import type { Conflict } from "../api/useEdit";
import { Button } from "./Button";

interface Props<T> {
    conflict: Conflict<T> | null;
    // The fields by their labels, as people read them.
    fields: Record<string, (value: T) => ComponentChildren>;
    // Puts what is there now into the fields, in place of what was typed.
    onTake: (now: T) => void;
}

// Somebody else changed this in the meantime: says what, and leaves what was typed.
export function ConflictNote<T>({ conflict, fields, onTake }: Props<T>) {
    if (!conflict) {
        return null;
    }
    const changed = Object.entries(fields).filter(([, text]) => text(conflict.was) !== text(conflict.now));
    return (
        <div class="note warn" role="alert" tabIndex={-1}>
            <div>
                <p>Somebody else changed this meanwhile. What you typed is still here; save again to apply it.</p>
                <ul>
                    {changed.map(([label, text]) => (
                        <li key={label}>
                            {label} is now <strong>{text(conflict.now) || "empty"}</strong>
                        </li>
                    ))}
                </ul>
                <Button onClick={() => onTake(conflict.now)}>Discard mine</Button>
            </div>
        </div>
    );
}
