import { useState } from "preact/hooks";
import { call } from "../../api/client";
import type { User } from "../../api/schema";
import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { ProblemNote } from "../../components/ProblemNote";
import { useSubmit } from "../../components/useSubmit";

interface Props {
    user: User;
    onClose: () => void;
    onDone: () => void;
}

export function SetPassword({ user, onClose, onDone }: Props) {
    const [fresh, setFresh] = useState("");
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        await call("put", "/api/v1/users/{user}/password", { path: { user: user.id }, body: { new: fresh } });
        onDone();
    });
    return (
        <Dialog title={`Set the password of ${user.display_name ?? user.id}`} onClose={onClose}>
            <form ref={form} onSubmit={onSubmit} noValidate>
                <div class="dialog-body">
                    <p>It ends their sessions, and deletes the tokens that programs retrieved with the old one.</p>
                    <ProblemNote problem={problem} fields={["new"]} />
                    {/* for password managers */}
                    <input type="hidden" name="username" value={user.id} autocomplete="username" />
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
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Cancel</Button>
                    <Button kind="primary" type="submit" busy={busy}>
                        Set password
                    </Button>
                </footer>
            </form>
        </Dialog>
    );
}
