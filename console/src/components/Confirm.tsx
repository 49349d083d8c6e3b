import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Field } from "./Field";
import { ProblemNote } from "./ProblemNote";
import { useSubmit } from "./useSubmit";

interface Props {
    title: string;
    // What happens.
    children: ComponentChildren;
    // The button's words: "Delete token".
    action: string;
    // What must be typed first, for what cannot be taken back.
    typed?: string;
    onConfirm: () => Promise<void>;
    onClose: () => void;
}

// Asks before something is done for good.
export function Confirm({ title, children, action, typed, onConfirm, onClose }: Props) {
    const [text, setText] = useState("");
    const [wrong, setWrong] = useState(false);
    const { form, onSubmit, busy, problem } = useSubmit(async () => {
        if (typed !== undefined && text !== typed) {
            setWrong(true);
            form.current?.querySelector("input")?.focus();
            return;
        }
        await onConfirm();
    });
    return (
        <Dialog title={title} onClose={onClose} role="alertdialog">
            <form ref={form} onSubmit={onSubmit} noValidate>
                <div class="dialog-body">
                    <ProblemNote problem={problem} />
                    {children}
                    {typed !== undefined && (
                        <Field
                            label={
                                <>
                                    Type <strong class="break">{typed}</strong> to confirm
                                </>
                            }
                            error={wrong && text !== typed ? "This is not the same." : undefined}
                        >
                            {(control) => (
                                <input
                                    {...control}
                                    value={text}
                                    autocomplete="off"
                                    spellcheck={false}
                                    onInput={(event) => setText(event.currentTarget.value)}
                                />
                            )}
                        </Field>
                    )}
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Cancel</Button>
                    <Button kind="danger" type="submit" busy={busy}>
                        {action}
                    </Button>
                </footer>
            </form>
        </Dialog>
    );
}
