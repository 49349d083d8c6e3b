// Where a page's tokens come from: the person, an organization, or a group.
import { call, type Answer } from "../api/client";
import type { Grants, NewToken, Token, TokenCreate, TokenList } from "../api/schema";
import type { Loaded } from "../api/useLoad";
import type { Place } from "../rights";
import type { Filters } from "./filters";

// null: the person's own.
export type Home = Place | null;

// What may be given there; null: not known yet.
export type GrantsState = Pick<Loaded<Grants | null>, "value" | "problem">;

export function homeKey(home: Home): string {
    return home === null ? "me" : `${home.organization}/${home.group ?? ""}`;
}

export async function listTokens(
    home: Home,
    filters: Filters,
    cursor: string | undefined,
    signal: AbortSignal,
): Promise<TokenList> {
    const { q, sort, status, role, created_by, expiring, unused, include } = filters;
    const own = { q, sort, status, expiring, unused, cursor };
    const query = { ...own, role, created_by };
    if (home === null) {
        return (await call("get", "/api/v1/me/tokens", { query: own, signal })).value;
    }
    const { organization: org, group } = home;
    const answer =
        group === null
            ? call("get", "/api/v1/organizations/{org}/tokens", {
                  path: { org },
                  query: { ...query, include },
                  signal,
              })
            : call("get", "/api/v1/organizations/{org}/groups/{group}/tokens", {
                  path: { org, group },
                  query,
                  signal,
              });
    return (await answer).value;
}

export async function getGrants(home: Home, signal: AbortSignal): Promise<Grants> {
    if (home === null) {
        return (await call("get", "/api/v1/me/grants", { signal })).value;
    }
    const { organization: org, group } = home;
    const answer =
        group === null
            ? call("get", "/api/v1/organizations/{org}/grants", { path: { org }, signal })
            : call("get", "/api/v1/organizations/{org}/groups/{group}/grants", {
                  path: { org, group },
                  signal,
              });
    return (await answer).value;
}

// With `token`, what must be shown once; a replay has none.
export function createToken(
    home: Home,
    body: TokenCreate,
    idempotencyKey: string,
): Promise<Answer<Token | NewToken>> {
    if (home === null) {
        const { role: _, ...personal } = body;
        return call("post", "/api/v1/me/tokens", { body: personal, idempotencyKey });
    }
    const { organization: org, group } = home;
    return group === null
        ? call("post", "/api/v1/organizations/{org}/tokens", { path: { org }, body, idempotencyKey })
        : call("post", "/api/v1/organizations/{org}/groups/{group}/tokens", {
              path: { org, group },
              body,
              idempotencyKey,
          });
}
