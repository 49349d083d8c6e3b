// Rows of the audit trail as sentences.
import type { AuditEntry } from "../api/schema";
import { exactTime } from "./time";

export interface Sentence {
    // "created the token", "Deploy", "in acme"
    verb: string;
    object: string;
    where: string;
}

export interface Change {
    field: string;
    from: string | null;
    to: string | null;
}

const verbs: Record<string, string> = {
    create: "created",
    add: "added",
    update: "changed",
    revoke: "revoked",
    restore: "restored",
    rotate: "rotated",
    delete: "deleted",
    remove: "removed",
    suspend: "suspended",
    resume: "resumed",
    disable: "disabled",
    enable: "enabled",
};

const entities: Record<string, string> = {
    token: "the token",
    organization: "the organization",
    group: "the group",
    user: "the person",
    role: "the role",
    scope: "the scope",
};

const sessions: Record<string, string> = {
    login: "logged in",
    logout: "logged out",
    login_failed: "failed to log in",
};

// `page`: the organization whose page it is, which is not said again.
export function sentenceOf(entry: AuditEntry, page: string | null): Sentence {
    const { action, entity, key } = entry;
    const session = sessions[action];
    if (session) {
        return { verb: session, object: "", where: "" };
    }
    if (action === "password") {
        const own = key === entry.actor;
        return { verb: own ? "changed their own password" : "changed the password of", object: own ? "" : key, where: "" };
    }
    const verb = verbs[action] ?? action;
    if (entity === "membership") {
        const [user = key] = key.split(" ");
        const place = placeOf(entry, page);
        const before = { add: "to", remove: "from" }[action] ?? "in";
        const what = action === "update" ? "changed the role of" : verb;
        return { verb: what, object: user, where: place ? `${before} ${place}` : "" };
    }
    const name = textOf(detail(entry)["name"] ?? detail(entry)["display_name"]);
    const place = placeOf(entry, page);
    const within = entity === "token" && place ? `in ${place}` : "";
    return { verb: `${verb} ${entities[entity] ?? entity}`, object: name ? `${name} (${key})` : key, where: within };
}

function placeOf({ organization, group }: AuditEntry, page: string | null): string {
    if (organization === page) {
        return group === null ? "" : `the group ${group}`;
    }
    return [organization, group].filter((each) => each !== null).join("/");
}

// What was changed, or what something was made with.
export function changesOf(entry: AuditEntry): Change[] {
    return Object.entries(detail(entry))
        .filter(([field]) => !hidden.includes(field))
        .map(([field, value]) => {
            const pair = pairOf(value);
            return {
                field: field.replace(/^policy\./, "").replaceAll("_", " "),
                from: pair ? textOf(pair.from) : null,
                to: textOf(pair ? pair.to : value),
            };
        });
}

// Said elsewhere in the row.
const hidden = ["created", "created_by", "created_via", "name", "prefix", "kind", "user", "organization", "group", "password", "revoked"];

function detail(entry: AuditEntry): Record<string, unknown> {
    return entry.action === "update" ? changed(entry.detail) : entry.detail;
}

// A new name is a change like others, not what the thing is called.
function changed(all: Record<string, unknown>): Record<string, unknown> {
    return Object.fromEntries(Object.entries(all).map(([field, value]) => [field === "name" ? "new name" : field, value]));
}

function pairOf(value: unknown): { from: unknown; to: unknown } | null {
    return typeof value === "object" && value !== null && "from" in value && "to" in value
        ? { from: value.from, to: value.to }
        : null;
}

function textOf(value: unknown): string | null {
    if (value === null || value === undefined || value === "") {
        return null;
    }
    if (Array.isArray(value)) {
        return value.join(", ");
    }
    if (typeof value === "object") {
        return "to" in value ? textOf(value.to) : JSON.stringify(value);
    }
    if (typeof value === "boolean") {
        return value ? "yes" : "no";
    }
    const text = String(value);
    return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? exactTime(text) : text;
}
