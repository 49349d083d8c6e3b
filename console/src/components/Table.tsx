import type { ComponentChildren } from "preact";

export interface Column<T> {
    id: string;
    head: string;
    cell: (row: T) => ComponentChildren;
    // The row's name: the header of the row.
    main?: boolean;
    // The heading is for screen readers alone.
    quiet?: boolean;
}

interface Props<T> {
    label: string;
    columns: Column<T>[];
    // null: not known yet. Lines keep their place.
    rows: T[] | null;
    keyOf: (row: T) => string;
    loading: boolean;
    // For its looks.
    class?: string;
}

// A table that becomes a list of cards where it is narrow; the roles keep it a table for screen
// readers there.
export function Table<T>({ label, columns, rows, keyOf, loading, class: name = "" }: Props<T>) {
    return (
        <div class="table-frame">
            <table class={`table ${name}`} role="table" aria-label={label} aria-busy={loading}>
                <thead role="rowgroup">
                    <tr role="row">
                        {columns.map((column) => (
                            <th key={column.id} role="columnheader" scope="col" class={column.id}>
                                {column.quiet ? <span class="hidden">{column.head}</span> : column.head}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    {rows === null
                        ? [1, 2, 3, 4, 5].map((row) => <SkeletonRow key={row} columns={columns} />)
                        : rows.map((row) => (
                              <tr key={keyOf(row)} role="row">
                                  {columns.map((column) => cellOf(column, row))}
                              </tr>
                          ))}
                </tbody>
            </table>
        </div>
    );
}

function cellOf<T>(column: Column<T>, row: T) {
    return column.main ? (
        <th key={column.id} role="rowheader" scope="row" class={column.id}>
            {column.cell(row)}
        </th>
    ) : (
        <td key={column.id} role="cell" class={column.id} data-head={column.quiet ? "" : column.head}>
            <div class="cell">{column.cell(row)}</div>
        </td>
    );
}

function SkeletonRow<T>({ columns }: { columns: Column<T>[] }) {
    return (
        <tr role="row" class="skeleton-row" aria-hidden="true">
            {columns.map((column) => (
                <td key={column.id} role="cell" class={column.id}>
                    <span class="skeleton" />
                </td>
            ))}
        </tr>
    );
}
