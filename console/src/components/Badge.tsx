import type { ComponentChildren } from "preact";

export type Tone = "good" | "warn" | "bad" | "plain" | "accent";

export function Badge({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }) {
    return <span class={`badge ${tone}`}>{children}</span>;
}
