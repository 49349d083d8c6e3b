import { call } from "../api/client";
import type { Token } from "../api/schema";

export interface Tagged {
    token: Token;
    // For ifMatch.
    etag: string;
}

export async function readToken(id: string, signal?: AbortSignal): Promise<Tagged> {
    const answer = await call("get", "/api/v1/tokens/{id}", {
        path: { id },
        ...(signal ? { signal } : {}),
    });
    return { token: answer.value, etag: answer.etag };
}
