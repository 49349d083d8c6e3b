import { useCallback, useEffect, useState } from "preact/hooks";
import { useLoad, type Loaded } from "./useLoad";

export interface Page<T> {
    items: T[];
    next_cursor: string | null;
}

export interface Pages<T> extends Loaded<Page<T>> {
    // From 1.
    number: number;
    // null: there is none.
    previous: (() => void) | null;
    next: (() => void) | null;
    replaceItem: (same: (item: T) => boolean, item: T | null) => void;
}

// A list by pages. `key` names the list with its filters; another key begins at its first page.
export function usePages<T>(
    key: string,
    load: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>,
): Pages<T> {
    // The cursors of the pages before this one and of this one; the first page has none.
    const [cursors, setCursors] = useState<string[]>([]);
    const [listed, setListed] = useState(key);
    if (listed !== key) {
        setListed(key);
        setCursors([]);
    }
    const cursor = listed === key ? cursors[cursors.length - 1] : undefined;
    const loaded = useLoad(`${key} ${cursor ?? ""}`, (signal) => load(cursor, signal));
    const next = loaded.value?.next_cursor ?? null;
    useEffect(() => {
        if (cursors.length > 0) {
            window.scrollTo({ top: 0 });
        }
    }, [cursors]);
    const { setValue } = loaded;
    return {
        ...loaded,
        number: cursors.length + 1,
        previous: cursors.length > 0 ? () => setCursors((now) => now.slice(0, -1)) : null,
        next: next !== null ? () => setCursors((now) => [...now, next]) : null,
        replaceItem: useCallback(
            (same, item) =>
                setValue((page) => ({
                    ...page,
                    items: page.items.flatMap((each) =>
                        !same(each) ? [each] : item ? [item] : [],
                    ),
                })),
            [setValue],
        ),
    };
}
