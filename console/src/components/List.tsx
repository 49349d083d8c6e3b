import type { ComponentChildren } from "preact";
import type { Pages } from "../api/usePages";
import { Button } from "./Button";
import { Pager } from "./Pager";
import { ProblemNote } from "./ProblemNote";
import { Table, type Column } from "./Table";

interface Props<T> {
    label: string;
    pages: Pages<T>;
    columns: Column<T>[];
    keyOf: (row: T) => string;
    // What to do while there is nothing.
    empty: ComponentChildren;
}

// A list by pages, or what to do about an empty one.
export function List<T>({ label, pages, columns, keyOf, empty }: Props<T>) {
    const { value, problem, loading, reload } = pages;
    if (problem) {
        return (
            <ProblemNote problem={problem}>
                <Button onClick={reload}>Try again</Button>
            </ProblemNote>
        );
    }
    if (value?.items.length === 0 && pages.number === 1 && !pages.next) {
        return <>{empty}</>;
    }
    return (
        <>
            <Table label={label} columns={columns} rows={value?.items ?? null} keyOf={keyOf} loading={loading} />
            <Pager pages={pages} />
        </>
    );
}
