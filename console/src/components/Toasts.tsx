import { useEffect, useState } from "preact/hooks";
import { Icon } from "./Icon";

interface Toast {
    id: number;
    text: string;
}

let show: ((text: string) => void) | null = null;
let count = 0;

// Says what was done, for screen readers, too. Close a dialog first: all else is silent while it
// is open.
export function notify(text: string): void {
    show?.(text);
}

const shownFor = 6000;

export function Toasts() {
    const [toasts, setToasts] = useState<Toast[]>([]);
    useEffect(() => {
        show = (text) => {
            const id = ++count;
            setToasts((now) => [...now.slice(-2), { id, text }]);
            window.setTimeout(() => setToasts((now) => now.filter((each) => each.id !== id)), shownFor);
        };
        return () => {
            show = null;
        };
    }, []);
    return (
        <div class="toasts" role="status" aria-live="polite">
            {toasts.map((toast) => (
                <p key={toast.id} class="toast">
                    <Icon name="check" />
                    <span>{toast.text}</span>
                </p>
            ))}
        </div>
    );
}
