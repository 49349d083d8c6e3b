import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { asProblem, type ApiProblem, type AnyProblem } from "../api/problem";

export interface Submit {
    form: RefObject<HTMLFormElement>;
    onSubmit: (event: Event) => void;
    busy: boolean;
    problem: AnyProblem | null;
    // What is wrong with a field, by the API's name of it.
    error: (field: string) => string | undefined;
}

// Sends a form. While it is on its way, it is not sent again; what was refused is shown with its
// field, and the first of these gets the focus.
export function useSubmit(action: () => Promise<unknown>): Submit {
    const form = useRef<HTMLFormElement>(null);
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<AnyProblem | null>(null);
    const gone = useRef(false);
    useEffect(() => () => void (gone.current = true), []);
    useEffect(() => {
        if (problem) {
            const first =
                form.current?.querySelector<HTMLElement>('[aria-invalid="true"]') ??
                form.current?.querySelector<HTMLElement>('[role="alert"]');
            first?.focus();
        }
    }, [problem]);
    async function send(): Promise<void> {
        setBusy(true);
        setProblem(null);
        try {
            await action();
        } catch (error) {
            const refused = asProblem(error);
            if (!gone.current) {
                setProblem(refused);
            }
        } finally {
            if (!gone.current) {
                setBusy(false);
            }
        }
    }
    return {
        form,
        busy,
        problem,
        onSubmit: (event) => {
            event.preventDefault();
            if (!busy) {
                void send();
            }
        },
        error: (field) => (problem as ApiProblem | null)?.fields?.get(field),
    };
}
