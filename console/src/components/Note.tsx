import type { ComponentChildren } from "preact";
import { Icon } from "./Icon";

interface Props {
    tone: "warn" | "accent";
    children: ComponentChildren;
}

export function Note({ tone, children }: Props) {
    return (
        <div class={`note ${tone}`}>
            <Icon name="alert" />
            <div>{children}</div>
        </div>
    );
}
