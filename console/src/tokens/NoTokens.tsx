import type { ComponentChildren } from "preact";
import { Button } from "../components/Button";
import { Empty } from "../components/Empty";

interface Props {
    narrowed: boolean;
    // Whether there are further pages: some filters leave out the whole of one.
    more: boolean;
    own: boolean;
    onClear: () => void;
    // The button that creates one.
    children: ComponentChildren;
}

export function NoTokens({ narrowed, more, own, onClear, children }: Props) {
    if (more) {
        return (
            <Empty icon="search" title="None on this page">
                <p>The next pages may have some.</p>
            </Empty>
        );
    }
    if (narrowed) {
        return (
            <Empty icon="search" title="No token fits">
                <p>Change the search or the filters.</p>
                <Button onClick={onClear}>Clear filters</Button>
            </Empty>
        );
    }
    return (
        <Empty icon="key" title="No tokens yet">
            <p>
                {own
                    ? "A personal token lets a program of yours act as you. You see it once, when you create it."
                    : "An access token lets a program act for the organization. It is shown once, when it is created."}
            </p>
            {children}
        </Empty>
    );
}
