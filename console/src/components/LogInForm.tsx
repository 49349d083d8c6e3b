import { useState } from "preact/hooks";
import { call } from "../api/client";
import { ApiProblem } from "../api/problem";
import type { LogInMethods, Me } from "../api/schema";
import { useLoad } from "../api/useLoad";
import { Button } from "./Button";
import { Field } from "./Field";
import { ProblemNote } from "./ProblemNote";
import { useSubmit } from "./useSubmit";

interface Props {
    // Who must log in; null: anybody.
    user: string | null;
    onDone: (me: Me) => void;
}

// By all that the server has turned on.
export function LogInForm({ user, onDone }: Props) {
    const methods = useLoad("methods", async (signal) => {
        return (await call("get", "/api/v1/session", { signal })).value;
    });
    if (methods.problem) {
        return (
            <ProblemNote problem={methods.problem}>
                <Button onClick={methods.reload}>Try again</Button>
            </ProblemNote>
        );
    }
    // Almost everywhere there are passwords: nothing jumps then.
    const on: LogInMethods = methods.value ?? { passwords: true, sso: false };
    return (
        <div class="log-in">
            {on.passwords && <PasswordForm user={user} onDone={onDone} />}
            {on.sso && on.passwords && <p class="divider">or</p>}
            {on.sso && <SignOn onDone={onDone} alone={!on.passwords} />}
            {!on.sso && !on.passwords && <p>Nobody can log in here: the server has turned it off.</p>}
        </div>
    );
}

function SignOn({ onDone, alone }: { onDone: (me: Me) => void; alone: boolean }) {
    const { form, onSubmit, busy, problem } = useSubmit(async () => {
        try {
            onDone((await call("post", "/api/v1/session/sso", { asIs: true })).value);
        } catch (error) {
            if (error instanceof ApiProblem && error.code === "login_failed") {
                const detail = "Single sign-on named nobody who is known here. Ask your administrator.";
                throw new ApiProblem(401, { detail }, null);
            }
            throw error;
        }
    });
    return (
        <form ref={form} onSubmit={onSubmit}>
            <ProblemNote problem={problem} />
            <Button kind={alone ? "primary" : "secondary"} type="submit" busy={busy}>
                Continue with single sign-on
            </Button>
        </form>
    );
}

function PasswordForm({ user, onDone }: Props) {
    const [username, setUsername] = useState(user ?? "");
    const [password, setPassword] = useState("");
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        const body = { username, password };
        onDone((await call("post", "/api/v1/session", { body, asIs: true })).value);
    });
    return (
        <form ref={form} onSubmit={onSubmit}>
            <ProblemNote problem={problem} fields={["username", "password"]} />
            <Field label="User name" error={error("username")}>
                {(control) => (
                    <input
                        {...control}
                        value={username}
                        readOnly={user !== null}
                        autoFocus={user === null}
                        autocomplete="username"
                        autocapitalize="none"
                        spellcheck={false}
                        required
                        onInput={(event) => setUsername(event.currentTarget.value)}
                    />
                )}
            </Field>
            <Field label="Password" error={error("password")}>
                {(control) => (
                    <input
                        {...control}
                        type="password"
                        value={password}
                        autoFocus={user !== null}
                        autocomplete="current-password"
                        required
                        onInput={(event) => setPassword(event.currentTarget.value)}
                    />
                )}
            </Field>
            <Button kind="primary" type="submit" busy={busy}>
                Log in
            </Button>
        </form>
    );
}
