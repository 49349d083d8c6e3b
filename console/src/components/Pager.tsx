import type { Pages } from "../api/usePages";
import { Button } from "./Button";

// Nothing, if there is one page only. Its buttons are never disabled: they would lose the focus.
export function Pager<T>({ pages }: { pages: Pages<T> }) {
    if (!pages.previous && !pages.next) {
        return null;
    }
    return (
        <nav class="pager" aria-label="Pages">
            <Button onClick={() => pages.previous?.()} aria-disabled={!pages.previous}>
                Previous
            </Button>
            <span class="muted" aria-live="polite">
                Page {pages.number}
            </span>
            <Button onClick={() => pages.next?.()} aria-disabled={!pages.next}>
                Next
            </Button>
        </nav>
    );
}
