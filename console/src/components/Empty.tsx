import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./Icon";

interface Props {
    icon: IconName;
    title: string;
    // What to do next.
    children: ComponentChildren;
}

export function Empty({ icon, title, children }: Props) {
    return (
        <div class="empty">
            <Icon name={icon} />
            <h2>{title}</h2>
            {children}
        </div>
    );
}
