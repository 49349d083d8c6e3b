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
    async function copy(): Promise<void> {
        window.clearTimeout(timer.current);
        try {
            await navigator.clipboard.writeText(text);
            setState("copied");
            onCopied?.();
        } catch {
            setState("failed");
        }
        timer.current = window.setTimeout(() => setState("idle"), 4000);
    }
    return (
        <>
            <Button icon={state === "copied" ? "check" : "copy"} autoFocus={focus} onClick={() => void copy()}>
                {label}
            </Button>
            <span class="copy-state" role="status">
                {state === "copied" && "Copied."}
                {state === "failed" && "The browser does not let this page copy. Select the text instead."}
            </span>
        </>
    );
}
