// Scopes, as the accordion shows them.
import type { CatalogueEntry } from "../api/schema";

export interface PermissionGroup {
    name: string;
    entries: CatalogueEntry[];
}

// By what stands before the first colon. What a token has beside the catalogue is there, too.
export function groupsOf(catalogue: CatalogueEntry[], more: Iterable<string>): PermissionGroup[] {
    const entries = new Map(catalogue.map((entry) => [entry.scope, entry]));
    for (const scope of more) {
        if (!entries.has(scope)) {
            entries.set(scope, { scope, description: "" });
        }
    }
    const groups = new Map<string, CatalogueEntry[]>();
    for (const entry of entries.values()) {
        const name = entry.scope.split(":", 1)[0] ?? entry.scope;
        groups.set(name, [...(groups.get(name) ?? []), entry]);
    }
    return [...groups].map(([name, each]) => ({ name, entries: each }));
}

// Whether a list of scopes, such as a role's, grants one: "agents:*" all that begins with
// "agents:", "*" all but what is reserved for managing.
export function covers(held: readonly string[], scope: string): boolean {
    return held.some(
        (each) =>
            each === scope ||
            (each === "*" && !scope.startsWith("auth:")) ||
            (each.endsWith(":*") && scope.startsWith(each.slice(0, -1))),
    );
}
