import type { Pages } from "../api/usePages";
import { Button } from "./Button";

// Nothing, if there is one page only.
export function Pager<T>({ pages }: { pages: Pages<T> }) {
    if (!pages.previous && !pages.next) {
        return null;
    }
    return (
        <nav class="pager" aria-label="Pages">
            <Button onClick={() => pages.previous?.()} disabled={!pages.previous}>
                Previous
            </Button>
            <span class="muted" aria-live="polite">
                Page {pages.number}
            </span>
            <Button onClick={() => pages.next?.()} disabled={!pages.next}>
                Next
            </Button>
        </nav>
    );
}
