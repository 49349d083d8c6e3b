// Who is logged in, for all pages.
import { createContext, type ComponentChildren } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import { call, setLogIn } from "./api/client";
import { ApiProblem, asProblem, type AnyProblem } from "./api/problem";
import type { Me } from "./api/schema";
import { LogInAgain } from "./components/LogInAgain";
import { StartProblem } from "./components/StartProblem";

interface Session {
    me: Me;
    setMe: (me: Me) => void;
    // After a change of what the person may see.
    refresh: () => void;
}

const Context = createContext<Session | null>(null);

export function useSession(): Session {
    const session = useContext(Context);
    if (!session) {
        throw new Error("no session here");
    }
    return session;
}

interface Asked {
    done: () => void;
    refused: () => void;
}

// Loads who is logged in, or goes to the log-in page. If the session ends later, a dialog over the
// page asks for the password, and nothing that was typed is lost.
export function SessionProvider({ children }: { children: ComponentChildren }) {
    const [me, setMe] = useState<Me | null>(null);
    const [problem, setProblem] = useState<AnyProblem | null>(null);
    const [asked, setAsked] = useState<Asked | null>(null);
    const [path, navigate] = useLocation();

    useEffect(() => {
        call("get", "/api/v1/me", { asIs: true }).then(
            (answer) => setMe(answer.value),
            (error: unknown) => {
                const refused = asProblem(error);
                if (refused instanceof ApiProblem && refused.sessionEnded) {
                    const here = path + window.location.search;
                    navigate(`/login?next=${encodeURIComponent(here)}`, { replace: true });
                } else {
                    setProblem(refused);
                }
            },
        );
    }, []);
    useEffect(() => {
        setLogIn(
            () =>
                new Promise<void>((resolve, reject) =>
                    setAsked({ done: resolve, refused: () => reject(new Error("not logged in")) }),
                ),
        );
        return () => setLogIn(null);
    }, []);

    if (problem) {
        return <StartProblem problem={problem} />;
    }
    if (!me) {
        return null;
    }
    const refresh = () => {
        // What they see is old then, no more.
        call("get", "/api/v1/me", { asIs: true }).then((answer) => setMe(answer.value), () => undefined);
    };
    return (
        <Context.Provider value={{ me, setMe, refresh }}>
            {children}
            {asked && (
                <LogInAgain
                    user={me.user}
                    onDone={(now) => {
                        setAsked(null);
                        setMe(now);
                        asked.done();
                    }}
                    onClose={() => {
                        setAsked(null);
                        asked.refused();
                    }}
                />
            )}
        </Context.Provider>
    );
}

// Ends the session; the page is loaded anew, so that nothing of it stays in memory.
export async function logOut(): Promise<void> {
    try {
        await call("delete", "/api/v1/session", { asIs: true });
    } catch (error) {
        const problem = asProblem(error);
        if (!(problem instanceof ApiProblem && problem.sessionEnded)) {
            throw problem;
        }
    }
    window.location.assign("/login");
}
