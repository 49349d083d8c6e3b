import { useState } from "preact/hooks";
import { call } from "../api/client";
import { Button } from "../components/Button";
import { Field } from "../components/Field";
import { PageHead } from "../components/PageHead";
import { ProblemNote } from "../components/ProblemNote";
import { notify } from "../components/Toasts";
import { useSubmit } from "../components/useSubmit";
import { useLoad } from "../api/useLoad";
import { tellTabs, useSession } from "../session";
import { Memberships } from "./Memberships";

export function AccountPage() {
    const methods = useLoad("methods", async (signal) => {
        return (await call("get", "/api/v1/session", { signal })).value;
    });
    return (
        <>
            <PageHead title="Account" />
            <Profile />
            <Memberships />
            {methods.value?.passwords !== false && <Password />}
            <Sessions />
        </>
    );
}

function Profile() {
    const { me, setMe } = useSession();
    const [name, setName] = useState(me.display_name ?? "");
    const saved = useLoad("me", async (signal) => (await call("get", "/api/v1/me", { signal })).etag);
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        const body = { display_name: name.trim() === "" ? null : name };
        const ifMatch = saved.value ?? undefined;
        setMe((await call("patch", "/api/v1/me", { body, ifMatch }).finally(saved.reload)).value);
        notify("Your name was saved.");
    });
    return (
        <section class="card" aria-labelledby="profile">
            <h2 id="profile">Profile</h2>
            <dl class="facts">
                <dt>User name</dt>
                <dd class="break">{me.user}</dd>
                {me.email && (
                    <>
                        <dt>E-mail</dt>
                        <dd class="break">{me.email}</dd>
                    </>
                )}
            </dl>
            <form ref={form} onSubmit={onSubmit} noValidate>
                <ProblemNote problem={problem} fields={["display_name"]} />
                <Field label="Name" hint="As others see it." error={error("display_name")} optional>
                    {(control) => (
                        <input
                            {...control}
                            value={name}
                            autocomplete="name"
                            onInput={(event) => setName(event.currentTarget.value)}
                        />
                    )}
                </Field>
                <Button type="submit" busy={busy}>
                    Save name
                </Button>
            </form>
        </section>
    );
}

function Password() {
    const { me } = useSession();
    const [old, setOld] = useState("");
    const [fresh, setFresh] = useState("");
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        await call("put", "/api/v1/me/password", { body: { old, new: fresh } });
        setOld("");
        setFresh("");
        notify("Your password was changed. Your other sessions have ended.");
    });
    return (
        <section class="card" aria-labelledby="password">
            <h2 id="password">Password</h2>
            <p class="hint">
                A new password ends your other sessions, and deletes the tokens that programs
                retrieved with the old one.
            </p>
            <form ref={form} onSubmit={onSubmit} noValidate>
                <ProblemNote problem={problem} fields={["old", "new"]} />
                {/* for password managers */}
                <input type="hidden" name="username" value={me.user} autocomplete="username" />
                <Field label="Current password" error={error("old")}>
                    {(control) => (
                        <input
                            {...control}
                            type="password"
                            value={old}
                            autocomplete="current-password"
                            onInput={(event) => setOld(event.currentTarget.value)}
                        />
                    )}
                </Field>
                <Field label="New password" hint="At least 12 characters." error={error("new")}>
                    {(control) => (
                        <input
                            {...control}
                            type="password"
                            value={fresh}
                            autocomplete="new-password"
                            onInput={(event) => setFresh(event.currentTarget.value)}
                        />
                    )}
                </Field>
                <Button type="submit" busy={busy}>
                    Change password
                </Button>
            </form>
        </section>
    );
}

function Sessions() {
    const { form, onSubmit, busy, problem } = useSubmit(async () => {
        await call("delete", "/api/v1/me/sessions", {});
        tellTabs(null);
    });
    return (
        <section class="card" aria-labelledby="sessions">
            <h2 id="sessions">Sessions</h2>
            <p class="hint">Ends this session and all others, on every device. Your tokens stay.</p>
            <form ref={form} onSubmit={onSubmit}>
                <ProblemNote problem={problem} />
                <Button type="submit" busy={busy}>
                    Log out everywhere
                </Button>
            </form>
        </section>
    );
}
