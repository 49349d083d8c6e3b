import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "./Button";

interface Props {
    text: string;
    label: string;
    onCopied?: () => void;
    // Where the dialog that it is in begins.
    focus?: boolean;
}

// Copies a text, and says that it did. Browsers refuse on pages without TLS.
export function Copy({ text, label, onCopied, focus }: Props) {
    const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
    const timer = useRef(0);
    useEffect(() => () => window.clearTimeout(timer.current), []);
    async function copy(button: HTMLElement): Promise<void> {
        window.clearTimeout(timer.current);
        try {
            await navigator.clipboard.writeText(text);
            setState("copied");
            onCopied?.();
            timer.current = window.setTimeout(() => setState("idle"), 4000);
        } catch {
            setState("failed");
            const shown = button.parentElement?.querySelector("code");
            if (shown) {
                window.getSelection()?.selectAllChildren(shown);
            }
        }
    }
    return (
        <>
            <Button icon={state === "copied" ? "check" : "copy"} autoFocus={focus} onClick={(event) => void copy(event.currentTarget)}>
                {label}
            </Button>
            <span class={state === "failed" ? "copy-state failed" : "copy-state"} role="status">
                {state === "copied" && "Copied."}
                {state === "failed" && "The browser does not let this page copy. The text is selected: copy it by the keyboard."}
            </span>
        </>
    );
}
