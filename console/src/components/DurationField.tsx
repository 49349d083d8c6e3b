import { Field } from "./Field";

interface Props {
    label: string;
    hint: string;
    // As the API has it, "90d"; empty: none.
    value: string;
    onChange: (value: string) => void;
    error: string | undefined;
}

const units = [
    { value: "h", label: "hours" },
    { value: "d", label: "days" },
    { value: "w", label: "weeks" },
];

// A number of hours, days or weeks.
export function DurationField({ label, hint, value, onChange, error }: Props) {
    const count = value.slice(0, -1);
    const unit = value.slice(-1) || "d";
    const known = units.some((each) => each.value === unit);
    return (
        <Field label={label} hint={hint} error={error} optional>
            {(control) => (
                <span class="duration">
                    <input
                        {...control}
                        inputMode="numeric"
                        value={count}
                        autocomplete="off"
                        onInput={(event) => onChange(joined(event.currentTarget.value, unit))}
                    />
                    <select
                        aria-label={`${label}: unit`}
                        value={unit}
                        onChange={(event) => onChange(joined(count, event.currentTarget.value))}
                    >
                        {!known && <option value={unit}>{unit === "m" ? "minutes" : "seconds"}</option>}
                        {units.map((each) => (
                            <option key={each.value} value={each.value}>
                                {each.label}
                            </option>
                        ))}
                    </select>
                </span>
            )}
        </Field>
    );
}

function joined(count: string, unit: string): string {
    return count.trim() === "" ? "" : `${count.trim()}${unit}`;
}
