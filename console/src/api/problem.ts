// What the API refuses, and why (RFC 9457).
import type { Problem } from "./schema";

export class ApiProblem extends Error {
    readonly code: string;
    // By field: "name" has "Must be 1 to 255 bytes".
    readonly fields: ReadonlyMap<string, string>;
    // Members that some codes add.
    readonly scopes: readonly string[];
    readonly rule: string | null;

    constructor(
        readonly status: number,
        body: unknown,
        retryAfter: string | null,
    ) {
        const problem = (typeof body === "object" && body ? body : {}) as Partial<
            Problem & { errors: { field: string; detail: string }[]; scopes: string[]; rule: string }
        >;
        super(sentence(status, problem.code, problem.detail, retryAfter));
        this.code = problem.code ?? "";
        this.fields = new Map(
            (problem.errors ?? []).map((error) => [error.field, capital(error.detail)]),
        );
        this.scopes = problem.scopes ?? [];
        this.rule = problem.rule ?? null;
    }

    get sessionEnded(): boolean {
        return (
            this.status === 401 &&
            (this.code === "session_ended" || this.code === "credentials_missing")
        );
    }
}

// There was no answer: nobody knows whether the request arrived.
export class NetworkProblem extends Error {
    constructor() {
        super("The server could not be reached. Check your connection and try again.");
    }
}

export type AnyProblem = ApiProblem | NetworkProblem;

// For a field of a creation whose `ifNew` was refused.
export function asTaken(error: unknown, field: string, detail: string): unknown {
    const taken = error instanceof ApiProblem && error.code === "changed_meanwhile";
    return taken
        ? new ApiProblem(409, { code: "exists", detail: "There is one already.", errors: [{ field, detail }] }, null)
        : error;
}

// What a catch clause has; anything else is a mistake of this program, and goes on.
export function asProblem(error: unknown): AnyProblem {
    if (error instanceof ApiProblem || error instanceof NetworkProblem) {
        return error;
    }
    throw error;
}

function sentence(
    status: number,
    code: string | undefined,
    detail: string | undefined,
    retryAfter: string | null,
): string {
    if (code === "throttled" && retryAfter) {
        return `Too many tries. Try again in ${seconds(Number(retryAfter))}.`;
    }
    if (code === "login_failed") {
        return "The user name or the password is wrong.";
    }
    if (code === "session_ended" || code === "credentials_missing") {
        return "Your session has ended. Log in again.";
    }
    return detail ?? `The server answered with an error (${status}). Try again later.`;
}

function seconds(count: number): string {
    if (count < 90) {
        return count === 1 ? "1 second" : `${count} seconds`;
    }
    return `${Math.ceil(count / 60)} minutes`;
}

function capital(text: string): string {
    return text.charAt(0).toUpperCase() + text.slice(1);
}
