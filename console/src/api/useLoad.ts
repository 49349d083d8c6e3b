import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asProblem, type AnyProblem } from "./problem";

export interface Loaded<T> {
    // null while the first answer is on its way, or if it was refused.
    value: T | null;
    problem: AnyProblem | null;
    loading: boolean;
    reload: () => void;
    // Shows a change at once, before the next reload.
    setValue: (change: (value: T) => T) => void;
}

// Loads when `key` changes; of several loads on their way, the last one counts. The value stays
// while it is loaded anew, so that nothing jumps.
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
    const [state, setState] = useState<Pick<Loaded<T>, "value" | "problem" | "loading">>({
        value: null,
        problem: null,
        loading: true,
    });
    const [turn, setTurn] = useState(0);
    const latest = useRef(load);
    latest.current = load;
    useEffect(() => {
        const abort = new AbortController();
        setState((now) => ({ ...now, loading: true }));
        latest.current(abort.signal).then(
            (value) => {
                if (!abort.signal.aborted) {
                    setState({ value, problem: null, loading: false });
                }
            },
            (error: unknown) => {
                if (!abort.signal.aborted) {
                    const problem = asProblem(error);
                    setState((now) => ({ ...now, problem, loading: false }));
                }
            },
        );
        return () => abort.abort();
    }, [key, turn]);
    return {
        ...state,
        reload: useCallback(() => setTurn((now) => now + 1), []),
        setValue: useCallback(
            (change) =>
                setState((now) =>
                    now.value === null ? now : { ...now, value: change(now.value) },
                ),
            [],
        ),
    };
}
