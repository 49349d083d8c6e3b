import type { Me } from "../api/schema";
import { Dialog } from "./Dialog";
import { LogInForm } from "./LogInForm";

interface Props {
    user: string;
    onDone: (me: Me) => void;
    onClose: () => void;
}

// Over the page whose session has ended. What is typed there belongs to one person: somebody else
// begins anew.
export function LogInAgain({ user, onDone, onClose }: Props) {
    return (
        <Dialog title="Your session has ended" onClose={onClose}>
            <div class="dialog-body">
                <p>Log in again to go on. Nothing that you typed is lost.</p>
                <LogInForm
                    user={user}
                    onDone={(me) => (me.user === user ? onDone(me) : window.location.assign("/"))}
                />
                <p class="hint">
                    Not <span class="break">{user}</span>? <a href="/login">Log in as somebody else</a>
                </p>
            </div>
        </Dialog>
    );
}
