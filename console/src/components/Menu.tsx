import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

export interface Item {
    label: string;
    danger?: boolean;
    onSelect: () => void;
}

interface Props {
    // What the button shows, and what it is called if that does not say it.
    children: ComponentChildren;
    label: string;
    items: Item[];
    class: string;
}

// A button that opens a menu, by the ARIA practices: arrow keys, Home, End, Escape, Tab. It is a
// popover, so that no table cuts it off, and so that the browser closes it on a click elsewhere.
export function Menu({ children, label, items, class: name }: Props) {
    const button = useRef<HTMLButtonElement>(null);
    const menu = useRef<HTMLDivElement>(null);
    const id = useId();
    const [open, setOpen] = useState(false);

    useEffect(() => {
        const element = menu.current;
        const toggled = (event: Event) => setOpen((event as ToggleEvent).newState === "open");
        element?.addEventListener("toggle", toggled);
        return () => element?.removeEventListener("toggle", toggled);
    }, []);
    useEffect(() => {
        if (open) {
            const hide = () => menu.current?.hidePopover();
            window.addEventListener("scroll", hide, { capture: true, once: true });
            window.addEventListener("resize", hide, { once: true });
            return () => {
                window.removeEventListener("scroll", hide, { capture: true });
                window.removeEventListener("resize", hide);
            };
        }
        return undefined;
    }, [open]);

    function show(at: "first" | "last"): void {
        if (button.current && menu.current) {
            menu.current.showPopover();
            place(menu.current, button.current.getBoundingClientRect());
            focusItem(menu.current, at);
        }
    }
    function hide(): void {
        menu.current?.hidePopover();
        button.current?.focus();
    }
    function keyed(event: KeyboardEvent): void {
        const to = ({ ArrowDown: "next", ArrowUp: "previous", Home: "first", End: "last" } as const)[
            event.key as "ArrowDown"
        ];
        if (to && menu.current) {
            event.preventDefault();
            focusItem(menu.current, to);
        } else if (event.key === "Escape" || event.key === "Tab") {
            event.preventDefault();
            event.stopPropagation();
            hide();
        }
    }
    return (
        <>
            <button
                ref={button}
                type="button"
                class={name}
                aria-haspopup="menu"
                aria-expanded={open}
                aria-controls={id}
                aria-label={label}
                onClick={() => (open ? hide() : show("first"))}
                onKeyDown={(event) => {
                    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
                        event.preventDefault();
                        show(event.key === "ArrowDown" ? "first" : "last");
                    }
                }}
            >
                {children}
            </button>
            <div ref={menu} id={id} class="menu" role="menu" popover="auto" onKeyDown={keyed} aria-label={label}>
                {items.map((item) => (
                    <button
                        key={item.label}
                        type="button"
                        role="menuitem"
                        tabIndex={-1}
                        class={item.danger ? "danger" : undefined}
                        onClick={() => {
                            // The focus first, so that what opens finds its way back to the button.
                            hide();
                            item.onSelect();
                        }}
                    >
                        {item.label}
                    </button>
                ))}
            </div>
        </>
    );
}

// Below the button, or above it if there is no room.
function place(menu: HTMLElement, at: DOMRect): void {
    const { offsetWidth: width, offsetHeight: height } = menu;
    const below = at.bottom + 4;
    const top = below + height > window.innerHeight - 8 ? Math.max(8, at.top - 4 - height) : below;
    menu.style.top = `${top}px`;
    menu.style.left = `${Math.max(8, Math.min(at.right - width, window.innerWidth - width - 8))}px`;
}

function focusItem(menu: HTMLElement, to: "first" | "last" | "next" | "previous"): void {
    const items = [...menu.querySelectorAll<HTMLElement>('[role="menuitem"]')];
    const now = items.indexOf(document.activeElement as HTMLElement);
    const at = { first: 0, last: -1, next: now + 1, previous: now - 1 }[to];
    items.at(at % items.length)?.focus();
}
