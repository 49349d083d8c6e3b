import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ApiProblem } from "../api/problem";
import { Confirm } from "./Confirm";

interface Props {
    title: string;
    action: string;
    // What must be typed.
    typed: string;
    onDelete: (force: boolean) => Promise<unknown>;
    onDone: () => void;
    onClose: () => void;
    children: ComponentChildren;
}

// Deletes something that may have tokens. If it does, the first try says so, and the second one must
// be told to delete them, too.
export function DeleteAll({ title, action, typed, onDelete, onDone, onClose, children }: Props) {
    const [full, setFull] = useState(false);
    const [force, setForce] = useState(false);
    return (
        <Confirm
            title={title}
            action={action}
            typed={typed}
            onClose={onClose}
            onConfirm={async () => {
                try {
                    await onDelete(force);
                } catch (error) {
                    setFull((now) => now || (error instanceof ApiProblem && error.code === "not_empty"));
                    throw error;
                }
                onDone();
            }}
        >
            {children}
            {full && (
                <label class="choice field">
                    <input type="checkbox" checked={force} onChange={(event) => setForce(event.currentTarget.checked)} />
                    <span>
                        Delete its tokens, too
                        <span class="hint">Whoever uses them is refused from then on.</span>
                    </span>
                </label>
            )}
        </Confirm>
    );
}
