import type { ComponentChildren } from "preact";

export type Tone = "good" | "warn" | "bad" | "plain" | "accent";

interface Props {
    tone?: Tone;
    // For words that may be cut off.
    title?: string;
    children: ComponentChildren;
}

export function Badge({ tone = "plain", title, children }: Props) {
    return (
        <span class={`badge ${tone}`} title={title}>
            {children}
        </span>
    );
}
