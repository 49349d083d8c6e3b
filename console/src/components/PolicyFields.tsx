import type { Policy } from "../api/schema";
import { DurationField } from "./DurationField";
import { Field } from "./Field";

// A policy as it is typed.
export interface PolicyDraft {
    max_life: string;
    default_life: string;
    require_allow: boolean;
    max_tokens: string;
}

export const policyFieldNames = ["policy.max_life", "policy.default_life", "policy.max_tokens"];

export function draftOf(policy: Policy): PolicyDraft {
    return {
        max_life: policy.max_life ?? "",
        default_life: policy.default_life ?? "",
        require_allow: policy.require_allow,
        max_tokens: policy.max_tokens === null ? "" : String(policy.max_tokens),
    };
}

// As the API takes it, which says what is wrong with it.
export function policyFrom(draft: PolicyDraft): Policy {
    const most = draft.max_tokens.trim();
    return {
        max_life: draft.max_life || null,
        default_life: draft.default_life || null,
        require_allow: draft.require_allow,
        max_tokens: most === "" ? null : /^\d+$/.test(most) ? Number(most) : (most as unknown as number),
    };
}

interface Props {
    policy: PolicyDraft;
    onChange: (policy: PolicyDraft) => void;
    error: (field: string) => string | undefined;
}

export function PolicyFields({ policy, onChange, error }: Props) {
    return (
        <>
            <DurationField
                label="Longest life"
                hint="No token lives longer. Empty: not limited."
                value={policy.max_life}
                onChange={(max_life) => onChange({ ...policy, max_life })}
                error={error("policy.max_life")}
            />
            <DurationField
                label="Usual life"
                hint="Of tokens whose maker chooses none. Empty: 90 days."
                value={policy.default_life}
                onChange={(default_life) => onChange({ ...policy, default_life })}
                error={error("policy.default_life")}
            />
            <Field
                label="Most tokens"
                hint="How many may be valid at a time. Empty: any number."
                error={error("policy.max_tokens")}
                optional
            >
                {(control) => (
                    <input
                        {...control}
                        inputMode="numeric"
                        value={policy.max_tokens}
                        autocomplete="off"
                        onInput={(event) => onChange({ ...policy, max_tokens: event.currentTarget.value })}
                    />
                )}
            </Field>
            <label class="choice field">
                <input
                    type="checkbox"
                    checked={policy.require_allow}
                    onChange={(event) => onChange({ ...policy, require_allow: event.currentTarget.checked })}
                />
                <span>
                    Tokens must name the addresses that may use them
                    <span class="hint">In blocks not wider than /8, of IPv6 /16.</span>
                </span>
            </label>
        </>
    );
}
