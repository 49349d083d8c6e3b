import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { FieldError } from "./Field";

interface Choice {
    value: string;
    label: ComponentChildren;
    hint?: ComponentChildren;
}

interface Props {
    legend: string;
    choices: Choice[];
    value: string;
    onChange: (value: string) => void;
    // In a row, as small buttons; else one below the other, with their hints.
    compact?: boolean;
    error?: string | undefined;
    children?: ComponentChildren;
}

// Radio buttons with a legend.
export function Choices({ legend, choices, value, onChange, compact, error, children }: Props) {
    const id = useId();
    return (
        <fieldset
            class="field"
            role="radiogroup"
            aria-invalid={error ? true : undefined}
            aria-describedby={error ? `${id}-error` : undefined}
            tabIndex={-1}
        >
            <legend>{legend}</legend>
            <div class={compact ? "choices compact" : "choices"}>
                {choices.map((choice) => (
                    <label key={choice.value} class="choice">
                        <input
                            type="radio"
                            name={id}
                            value={choice.value}
                            checked={choice.value === value}
                            onChange={() => onChange(choice.value)}
                        />
                        <span>
                            {choice.label}
                            {choice.hint && <span class="hint">{choice.hint}</span>}
                        </span>
                    </label>
                ))}
            </div>
            {children}
            <FieldError id={`${id}-error`} error={error} />
        </fieldset>
    );
}
