// What is typed into a dialog for a token, and what of it is sent.
import { ApiProblem } from "../api/problem";
import type { Token, TokenCreate, TokenUpdate } from "../api/schema";
import { expiresOf, type Expiry } from "./expiry";

export interface Draft {
    name: string;
    description: string;
    expiry: Expiry;
    role: string | null;
    // Whether the token has a list of its own; else role or membership decide.
    limited: boolean;
    scopes: ReadonlySet<string>;
    // A block a line.
    allow: string;
}

export function draftOf(token: Token): Draft {
    return {
        name: token.name,
        description: token.description,
        expiry: { kind: "keep" },
        role: token.role,
        limited: token.scopes !== null,
        scopes: new Set(token.scopes ?? []),
        allow: token.allow.join("\n"),
    };
}

export function blocksOf(text: string): string[] {
    return text.split(/[\s,]+/).filter(Boolean);
}

function scopesOf(draft: Draft): string[] | null {
    return draft.limited ? [...draft.scopes].sort() : null;
}

// Throws ApiProblem with what the API would not put that way.
export function check(draft: Draft, isNew: boolean): void {
    const errors: { field: string; detail: string }[] = [];
    if (draft.name.trim() === "") {
        errors.push({ field: "name", detail: "give it a name" });
    }
    if (draft.expiry.kind === "date" && draft.expiry.day === "") {
        errors.push({ field: "expires", detail: "choose a day" });
    }
    if (draft.limited && draft.scopes.size === 0 && (isNew || draft.role === null)) {
        errors.push({ field: "scopes", detail: "choose at least one permission" });
    }
    if (errors.length > 0) {
        const detail = "Some fields need your attention.";
        throw new ApiProblem(422, { code: "fields_invalid", detail, errors }, null);
    }
}

export function creationOf(draft: Draft): TokenCreate {
    const expires = expiresOf(draft.expiry);
    return {
        name: draft.name,
        description: draft.description,
        role: draft.role,
        scopes: scopesOf(draft),
        allow: blocksOf(draft.allow),
        ...(expires === undefined ? {} : { expires }),
    };
}

// Only what differs from the token as it was read: what others change meanwhile stays.
export function updateOf(draft: Draft, token: Token): TokenUpdate {
    const update: TokenUpdate = {};
    const scopes = scopesOf(draft);
    const allow = blocksOf(draft.allow);
    const expires = expiresOf(draft.expiry);
    if (draft.name !== token.name) {
        update.name = draft.name;
    }
    if (draft.description !== token.description) {
        update.description = draft.description;
    }
    if (draft.role !== token.role) {
        update.role = draft.role;
    }
    if (!same(scopes, token.scopes)) {
        update.scopes = scopes;
    }
    if (!same(allow, token.allow)) {
        update.allow = allow;
    }
    if (expires !== undefined) {
        update.expires = expires;
    }
    return update;
}

// The draft on what somebody else made of the token: what was typed stays, all else is theirs.
export function rebased(draft: Draft, before: Token, now: Token): Draft {
    const mine = updateOf(draft, before);
    const theirs = draftOf(now);
    return {
        name: "name" in mine ? draft.name : theirs.name,
        description: "description" in mine ? draft.description : theirs.description,
        expiry: draft.expiry,
        role: "role" in mine ? draft.role : theirs.role,
        limited: "scopes" in mine ? draft.limited : theirs.limited,
        scopes: "scopes" in mine ? draft.scopes : theirs.scopes,
        allow: "allow" in mine ? draft.allow : theirs.allow,
    };
}

function same(a: readonly string[] | null, b: readonly string[] | null): boolean {
    return JSON.stringify(a) === JSON.stringify(b);
}
