import type { ButtonHTMLAttributes } from "preact";
import { Icon, type IconName } from "./Icon";

type Kind = "primary" | "secondary" | "danger" | "quiet";

interface Props extends Omit<ButtonHTMLAttributes, "icon"> {
    kind?: Kind;
    icon?: IconName;
    // On its way: it says so, and does nothing more.
    busy?: boolean;
}

export function Button({ kind = "secondary", icon, busy, children, ...rest }: Props) {
    return (
        <button type="button" class={`button ${kind}`} aria-disabled={busy} {...rest}>
            {icon && <Icon name={icon} />}
            <span>{children}</span>
            {busy && <span class="spinner" aria-hidden="true" />}
        </button>
    );
}
