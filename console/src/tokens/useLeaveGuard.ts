import { useEffect, useRef } from "preact/hooks";

interface Guard {
    // Whether leaving asks first.
    asks: boolean;
    ask: () => void;
    // The page is being put aside, from where the browser could bring it back as it was.
    forget: () => void;
}

// The browser asks before the page is closed or loaded anew. Its back button takes away no more than
// an entry that is added here, of the same page and without content; then this asks.
export function useLeaveGuard(guard: Guard): void {
    const latest = useRef(guard);
    latest.current = guard;
    useEffect(() => {
        let added = true;
        history.pushState(null, "");
        const back = () => {
            added = latest.current.asks;
            if (added) {
                history.pushState(null, "");
                latest.current.ask();
            } else {
                latest.current.forget();
            }
        };
        const leave = (event: BeforeUnloadEvent) => {
            if (latest.current.asks) {
                event.preventDefault();
            }
        };
        const aside = () => latest.current.forget();
        window.addEventListener("popstate", back);
        window.addEventListener("beforeunload", leave);
        window.addEventListener("pagehide", aside);
        return () => {
            window.removeEventListener("popstate", back);
            window.removeEventListener("beforeunload", leave);
            window.removeEventListener("pagehide", aside);
            if (added) {
                history.back();
            }
        };
    }, []);
}
