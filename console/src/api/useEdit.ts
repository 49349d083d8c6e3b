import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Answer } from "./client";
import { ApiProblem, asProblem, type AnyProblem } from "./problem";

export interface Edit<T> {
    // What is changed, as it was loaded; null until then.
    base: T | null;
    problem: AnyProblem | null;
    // Set after somebody else was faster: what they made of it is in `base`.
    conflict: Conflict<T> | null;
    // Sends a change with the tag of what was loaded. If somebody else was faster, loads it anew and
    // throws the refusal: sent again, the change applies to what they made.
    save: <R>(send: (etag: string) => Promise<Answer<R>>) => Promise<Answer<R>>;
    // Loads it anew, as after it was saved.
    reload: () => void;
    // The conflict is dealt with.
    settle: () => void;
}

export interface Conflict<T> {
    was: T;
    now: T;
}

interface State<T> {
    base: Answer<T> | null;
    problem: AnyProblem | null;
    conflict: Conflict<T> | null;
}

// Loads something to change it; nothing if it is to be made.
export function useEdit<T>(load: () => Promise<Answer<T>>, exists = true): Edit<T> {
    const [state, setState] = useState<State<T>>({ base: null, problem: null, conflict: null });
    const latest = useRef(load);
    latest.current = load;
    const reload = useCallback(() => {
        latest.current().then(
            (base) => setState({ base, problem: null, conflict: null }),
            (error: unknown) => setState((now) => ({ ...now, problem: asProblem(error) })),
        );
    }, []);
    useEffect(() => {
        if (exists) {
            reload();
        }
    }, []);
    const settle = useCallback(() => setState((now) => ({ ...now, conflict: null })), []);
    const save = useCallback(
        async <R>(send: (etag: string) => Promise<Answer<R>>): Promise<Answer<R>> => {
            try {
                return await send(state.base?.etag ?? "");
            } catch (error) {
                if (error instanceof ApiProblem && error.code === "changed_meanwhile") {
                    const now = await latest.current();
                    setState((before) => ({
                        ...before,
                        base: now,
                        conflict: before.base && { was: before.base.value, now: now.value },
                    }));
                }
                throw error;
            }
        },
        [state.base],
    );
    return { base: state.base?.value ?? null, problem: state.problem, conflict: state.conflict, save, reload, settle };
}

// After a conflict, what the person left alone becomes what the other one made of it, so that saving
// again takes nothing back.
export function useRebase<T, D extends object>(
    conflict: Conflict<T> | null,
    draftOf: (value: T) => D,
    setDraft: (change: (draft: D) => D) => void,
): void {
    useEffect(() => {
        if (conflict) {
            setDraft((draft) => rebased(draft, draftOf(conflict.was), draftOf(conflict.now)));
        }
    }, [conflict]);
}

function rebased<D extends object>(draft: D, was: D, now: D): D {
    const entries = Object.entries(draft) as [keyof D, unknown][];
    return Object.fromEntries(entries.map(([key, value]) => [key, value === was[key] ? now[key] : value])) as D;
}
