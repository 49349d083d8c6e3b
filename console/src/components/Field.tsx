import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { Icon } from "./Icon";

// For the input, select or textarea.
export interface Control {
    id: string;
    "aria-describedby": string | undefined;
    "aria-invalid": boolean | undefined;
}

interface Props {
    label: ComponentChildren;
    hint?: ComponentChildren;
    error?: string | undefined;
    optional?: boolean;
    children: (control: Control) => ComponentChildren;
}

// A label, a control, what helps to fill it in, and what is wrong with it.
export function Field({ label, hint, error, optional, children }: Props) {
    const id = useId();
    const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
    return (
        <div class="field">
            <label for={id}>
                {label}
                {optional && <span class="muted"> (optional)</span>}
            </label>
            {hint && (
                <p class="hint" id={`${id}-hint`}>
                    {hint}
                </p>
            )}
            {children({
                id,
                "aria-describedby": described || undefined,
                "aria-invalid": error ? true : undefined,
            })}
            <FieldError id={`${id}-error`} error={error} />
        </div>
    );
}

export function FieldError({ id, error }: { id: string; error: string | undefined }) {
    return error ? (
        <p class="error" id={id}>
            <Icon name="alert" />
            {error.replace(/\.?$/, ".")}
        </p>
    ) : null;
}
