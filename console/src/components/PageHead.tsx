import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
    title: string;
    // What the page belongs to: an organization, a group.
    place?: string;
    // The page's main action.
    children?: ComponentChildren;
}

let opened = false;

// The page's heading, also in the window's title. It gets the focus when the page changes, so that
// screen readers say where one is; not when the console is opened, where it is at the top anyway.
export function PageHead({ title, place, children }: Props) {
    const heading = useRef<HTMLHeadingElement>(null);
    useEffect(() => {
        if (opened) {
            heading.current?.focus({ preventScroll: true });
            window.scrollTo({ top: 0 });
        }
        opened = true;
    }, []);
    useEffect(() => {
        document.title = place ? `${title} · ${place}` : title;
    }, [title, place]);
    return (
        <header class="page-head">
            <div>
                {place && <p class="place break">{place}</p>}
                <h1 ref={heading} tabIndex={-1}>
                    {title}
                </h1>
            </div>
            {children && <div class="actions">{children}</div>}
        </header>
    );
}
