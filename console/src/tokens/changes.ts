// What somebody else changed meanwhile, in words.
import type { Token } from "../api/schema";
import { dateOf } from "../text/time";

export interface Change {
    field: string;
    from: string;
    to: string;
}

const fields: [string, (token: Token) => string][] = [
    ["Name", (token) => token.name],
    ["Description", (token) => token.description || "none"],
    ["Expiration", (token) => (token.expires === null ? "never" : dateOf(token.expires))],
    ["Role", (token) => token.role ?? "none"],
    ["Permissions", (token) => token.scopes?.join(", ") ?? "no list of its own"],
    ["Allowed addresses", (token) => token.allow.join(", ") || "all"],
];

export function changesOf(before: Token, now: Token): Change[] {
    return fields
        .map(([field, text]) => ({ field, from: text(before), to: text(now) }))
        .filter((change) => change.from !== change.to);
}
