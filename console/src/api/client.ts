// Calls the API, by the types of docs/openapi.json.
import { ApiProblem, NetworkProblem } from "./problem";
import type { paths } from "./schema";

export type Method = "get" | "post" | "put" | "patch" | "delete";

type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;

// The paths that know a method. (openapi-typescript writes `never` for the others.)
export type PathOf<M extends Method> = {
    [P in keyof paths]: [Operation<P, M>] extends [never] ? never : P;
}[keyof paths];

type Path<O> = O extends { parameters: { path: infer T } } ? { path: T } : { path?: never };
type Query<O> = O extends { parameters: { query?: infer T } }
    ? { query?: { [K in keyof T]: T[K] | undefined } }
    : { query?: never };
type Body<O> = O extends { requestBody: { content: { "application/json": infer T } } }
    ? { body: T }
    : O extends { requestBody?: { content: { "application/json": infer T } } }
      ? { body?: T }
      : { body?: never };

export type Options<P extends keyof paths, M extends Method> = Path<Operation<P, M>> &
    Query<Operation<P, M>> &
    Body<Operation<P, M>> & {
        ifMatch?: string | undefined;
        // Refuse what would replace something.
        ifNew?: boolean;
        idempotencyKey?: string;
        signal?: AbortSignal;
        // Answer 401 as it comes: do not ask the person to log in again.
        asIs?: boolean;
    };

type Content<R> = R extends { content: { "application/json": infer T } } ? T : never;
type Value<O> = O extends { responses: infer R } ? Content<R[keyof R & (200 | 201)]> : never;

export interface Answer<T> {
    status: number;
    value: T;
    // For ifMatch; empty if it cannot be changed.
    etag: string;
    // A creation with a key that was used before: nothing new, and no secret.
    replayed: boolean;
}

type LogIn = () => Promise<void>;
let logIn: LogIn | null = null;
let waiting: Promise<void> | null = null;

// What lets the person log in again, if the session ends; it rejects if they do not want to.
export function setLogIn(ask: LogIn | null): void {
    logIn = ask;
}

function loggedIn(ask: LogIn): Promise<void> {
    waiting ??= ask().finally(() => (waiting = null));
    return waiting;
}

// The caller gives the path as the document writes it, and the parameters beside it:
// call("get", "/api/v1/tokens/{id}", { path: { id } }). Throws ApiProblem, NetworkProblem.
export async function call<M extends Method, P extends PathOf<M>>(
    method: M,
    path: P,
    options: Options<P, M>,
): Promise<Answer<Value<Operation<P, M>>>> {
    for (;;) {
        try {
            return await once(method, path, options as AnyOptions);
        } catch (problem) {
            const ended = problem instanceof ApiProblem && problem.sessionEnded;
            if (!ended || options.asIs || !logIn) {
                throw problem;
            }
            await loggedIn(logIn).catch(() => {
                throw problem;
            });
        }
    }
}

interface AnyOptions {
    path?: Record<string, string>;
    query?: Record<string, unknown>;
    body?: unknown;
    ifMatch?: string;
    ifNew?: boolean;
    idempotencyKey?: string;
    signal?: AbortSignal;
}

async function once<T>(method: Method, path: string, options: AnyOptions): Promise<Answer<T>> {
    const headers: Record<string, string> = { Accept: "application/json" };
    const init: RequestInit = { method: method.toUpperCase(), headers, cache: "no-store" };
    if (options.body !== undefined) {
        headers["Content-Type"] = "application/json";
        init.body = JSON.stringify(options.body);
    }
    if (options.ifMatch) {
        headers["If-Match"] = options.ifMatch;
    }
    if (options.ifNew) {
        headers["If-None-Match"] = "*";
    }
    if (options.idempotencyKey) {
        headers["Idempotency-Key"] = options.idempotencyKey;
    }
    if (options.signal) {
        init.signal = options.signal;
    }
    let response: Response;
    let text: string;
    try {
        response = await fetch(target(path, options), init);
        text = await response.text();
    } catch (error) {
        if (options.signal?.aborted) {
            throw error;
        }
        throw new NetworkProblem();
    }
    const value: unknown = parsed(text);
    if (!response.ok) {
        throw new ApiProblem(response.status, value, response.headers.get("Retry-After"));
    }
    return {
        status: response.status,
        value: value as T,
        etag: response.headers.get("ETag") ?? "",
        replayed: response.headers.get("Idempotent-Replay") === "true",
    };
}

function parsed(text: string): unknown {
    try {
        return text ? JSON.parse(text) : undefined;
    } catch {
        return undefined;
    }
}

function target(path: string, options: AnyOptions): string {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
        encodeURIComponent(options.path?.[name] ?? ""),
    );
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(options.query ?? {})) {
        if (value !== undefined && value !== null && value !== "") {
            query.set(name, String(value));
        }
    }
    const search = query.toString();
    return search ? `${filled}?${search}` : filled;
}
