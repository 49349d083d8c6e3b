// What a list of tokens is narrowed by. It stands in the page's address, so that it can be kept and
// sent on.
import type { Status } from "../api/schema";

export interface Filters {
    q?: string | undefined;
    sort?: "-created" | "created" | "name" | "expires" | undefined;
    status?: Status | undefined;
    role?: string | undefined;
    created_by?: string | undefined;
    expiring?: string | undefined;
    unused?: string | undefined;
    include?: "groups" | undefined;
}

const names = ["q", "sort", "status", "role", "created_by", "expiring", "unused", "include"] as const;

// The API says what is wrong with values that are none.
export function filtersOf(search: string): Filters {
    const params = new URLSearchParams(search);
    const filters: Record<string, string> = {};
    for (const name of names) {
        const value = params.get(name);
        if (value) {
            filters[name] = value;
        }
    }
    return filters;
}

export function searchOf(filters: Filters): string {
    const params = new URLSearchParams();
    for (const name of names) {
        const value = filters[name];
        if (value) {
            params.set(name, value);
        }
    }
    const search = params.toString();
    return search ? `?${search}` : "";
}

// Sorting leaves nothing out.
export function isNarrowed({ sort: _, include: __, ...filters }: Filters): boolean {
    return Object.values(filters).some(Boolean);
}
