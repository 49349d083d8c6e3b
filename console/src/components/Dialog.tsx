import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "./Icon";

interface Props {
    title: string;
    // Asked for by Escape and the cross. The dialog is there as long as it is rendered: the owner
    // decides, and may ask first.
    onClose: () => void;
    children: ComponentChildren;
    wide?: boolean;
    // "alertdialog" for what interrupts.
    role?: "dialog" | "alertdialog";
}

export function Dialog({ title, onClose, children, wide, role = "dialog" }: Props) {
    const dialog = useRef<HTMLDialogElement>(null);
    const heading = useId();
    const close = useRef(onClose);
    close.current = onClose;
    useLayoutEffect(() => {
        const element = dialog.current;
        const opener = document.activeElement as HTMLElement | null;
        element?.showModal();
        return () => {
            element?.close();
            opener?.focus();
            window.setTimeout(focusHeading);
        };
    }, []);
    useEffect(() => {
        const element = dialog.current;
        // Not left to the browser: it would close the dialog without asking the second time.
        const escape = (event: KeyboardEvent) => {
            if (event.key === "Escape" && !event.defaultPrevented) {
                event.preventDefault();
                event.stopPropagation();
                close.current();
            }
        };
        // By a gesture, for example.
        const cancel = (event: Event) => {
            if (event.target === element) {
                event.preventDefault();
                close.current();
            }
        };
        const closed = (event: Event) => {
            if (event.target === element && element?.isConnected) {
                element.showModal();
                close.current();
            }
        };
        element?.addEventListener("keydown", escape);
        element?.addEventListener("cancel", cancel);
        element?.addEventListener("close", closed);
        return () => {
            element?.removeEventListener("keydown", escape);
            element?.removeEventListener("cancel", cancel);
            element?.removeEventListener("close", closed);
        };
    }, []);
    return (
        <dialog ref={dialog} class={wide ? "dialog wide" : "dialog"} role={role} aria-labelledby={heading}>
            <header class="dialog-head">
                <h2 id={heading}>{title}</h2>
                <button type="button" class="icon-button" aria-label="Close" onClick={onClose}>
                    <Icon name="close" />
                </button>
            </header>
            {children}
        </dialog>
    );
}

// If the opener goes with what was deleted.
function focusHeading(): void {
    if (document.activeElement === document.body) {
        document.querySelector<HTMLElement>("h1")?.focus();
    }
}
