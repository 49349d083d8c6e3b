import { useState } from "preact/hooks";
import { call } from "../api/client";
import { asProblem, type AnyProblem } from "../api/problem";
import type { Token } from "../api/schema";
import { usePages, type Pages } from "../api/usePages";
import { notify } from "../components/Toasts";
import { searchOf, type Filters } from "./filters";
import { homeKey, listTokens, type Home } from "./source";

export interface Tokens {
    pages: Pages<Token>;
    // Why the last change by the status button was refused.
    problem: AnyProblem | null;
    isLost: (token: Token) => boolean;
    // Each shows the change in the list at once.
    made: (token: Token, lost: boolean) => void;
    changed: (token: Token) => void;
    // Nobody knows whether a token of this name was made: the list is loaded anew, and a new one that
    // has it is shown as lost.
    unanswered: (name: string) => void;
    deleted: (token: Token) => void;
    switchTo: (token: Token, action: "revoke" | "restore") => Promise<void>;
}

export function useTokens(home: Home, filters: Filters): Tokens {
    const [problem, setProblem] = useState<AnyProblem | null>(null);
    const [lost, setLost] = useState<ReadonlySet<string>>(new Set());
    const [asked, setAsked] = useState<{ name: string; known: Set<string> } | null>(null);
    const pages = usePages(`${homeKey(home)}${searchOf(filters)}`, (cursor, signal) =>
        listTokens(home, filters, cursor, signal),
    );
    function changed(token: Token): void {
        pages.replaceItem((each) => each.id === token.id, token);
    }
    return {
        pages,
        problem,
        isLost: (token) =>
            lost.has(token.id) ||
            (asked !== null && token.name === asked.name && !asked.known.has(token.id)),
        changed,
        unanswered: (name) => {
            setAsked({ name, known: new Set(pages.value?.items.map((token) => token.id)) });
            pages.reload();
        },
        // At the top, whatever the order: there it is found.
        made: (token, wasLost) => {
            pages.setValue((page) => ({ ...page, items: [token, ...page.items] }));
            if (wasLost) {
                setLost((now) => new Set(now).add(token.id));
            }
        },
        deleted: (token) => {
            pages.replaceItem((each) => each.id === token.id, null);
            notify(`“${token.name}” is deleted.`);
        },
        switchTo: async (token, action) => {
            setProblem(null);
            try {
                const path = { id: token.id };
                changed((await call("post", `/api/v1/tokens/{id}/${action}`, { path })).value);
                notify(`“${token.name}” is ${action === "revoke" ? "revoked" : "restored"}.`);
            } catch (error) {
                setProblem(asProblem(error));
            }
        },
    };
}
