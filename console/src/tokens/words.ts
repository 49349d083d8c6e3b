// A token's words.
import type { Status, Token } from "../api/schema";
import type { Tone } from "../components/Badge";

export const statusWords: Record<Status, { label: string; tone: Tone }> = {
    active: { label: "Active", tone: "good" },
    pending: { label: "Pending", tone: "accent" },
    suspended: { label: "Suspended", tone: "warn" },
    expired: { label: "Expired", tone: "plain" },
    revoked: { label: "Revoked", tone: "bad" },
};

// What it begins with, by which people recognize it.
export function shownId(token: Token): string {
    return token.prefix === null ? token.id : `${token.prefix}_${token.id}`;
}

const ways: Record<string, string> = {
    session: "in the console",
    token: "by a token",
    auth_token: "by retrieving it with a password",
    tokenctl: "on the command line",
};

export function createdWords(token: Token): string {
    const who = token.created_by === null ? "" : ` by ${token.created_by}`;
    const how = token.created_via === null ? "" : `, ${ways[token.created_via] ?? token.created_via}`;
    return who + how;
}
