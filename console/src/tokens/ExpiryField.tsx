import { useId } from "preact/hooks";
import type { Policy } from "../api/schema";
import { Choices } from "../components/Choices";
import { Note } from "../components/Note";
import { dayOf, durationText } from "../text/time";
import { expirySentence, keptLabel, lastDay, latestExpiry, presetLabel, presetsOf, type Expiry } from "./expiry";

interface Props {
    value: Expiry;
    onChange: (expiry: Expiry) => void;
    policy: Policy;
    // Of a token that exists: when it was made, and when it expires.
    token?: { created: string | null; expires: string | null };
    error: string | undefined;
}

// Presets, any day, or never; what the policy forbids is not offered.
export function ExpiryField({ value, onChange, policy, token, error }: Props) {
    const now = Date.now();
    const limit = latestExpiry(policy, token?.created ? Date.parse(token.created) : now);
    const longest = policy.max_life;
    const hint = [
        expirySentence(value, now),
        longest !== null && `Tokens live for ${durationText(longest)} at most here.`,
    ].filter(Boolean);
    const choices = [
        ...(token ? [{ value: "keep", label: keptLabel(token.expires) }] : []),
        ...presetsOf(policy, limit, now).map((each) => ({ value: each, label: presetLabel(each) })),
        { value: "date", label: "Until a day…" },
        ...(limit === null ? [{ value: "never", label: "Never" }] : []),
    ];
    return (
        <Choices
            legend="Expiration"
            compact
            choices={choices}
            value={value.kind === "preset" ? value.duration : value.kind}
            onChange={(chosen) => onChange(expiryOf(chosen))}
            error={error}
        >
            {value.kind === "date" && (
                <Day value={value.day} max={lastDay(limit)} onChange={(day) => onChange({ kind: "date", day })} />
            )}
            {value.kind === "never" ? (
                <Note tone="warn">
                    A token without an expiry works until somebody revokes it. Whoever finds it years from now can
                    use it.
                </Note>
            ) : (
                hint.length > 0 && (
                    <p class="hint" aria-live="polite">
                        {hint.join(" ")}
                    </p>
                )
            )}
        </Choices>
    );
}

function expiryOf(chosen: string): Expiry {
    switch (chosen) {
        case "keep":
        case "never":
            return { kind: chosen };
        case "date":
            return { kind: "date", day: "" };
        default:
            return { kind: "preset", duration: chosen };
    }
}

interface DayProps {
    value: string;
    max: string | undefined;
    onChange: (day: string) => void;
}

function Day({ value, max, onChange }: DayProps) {
    const id = useId();
    return (
        <div class="day">
            <label class="hidden" for={id}>
                Last day
            </label>
            <input
                id={id}
                type="date"
                value={value}
                min={dayOf(Date.now())}
                max={max}
                onInput={(event) => onChange(event.currentTarget.value)}
            />
        </div>
    );
}
