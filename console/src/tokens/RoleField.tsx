import type { GrantedRole } from "../api/schema";
import { Field } from "../components/Field";

interface Props {
    value: string | null;
    onChange: (role: string | null) => void;
    roles: GrantedRole[];
    error: string | undefined;
}

// Roles that manage stand apart, so that nobody gives one by a slip.
export function RoleField({ value, onChange, roles, error }: Props) {
    const managing = roles.filter((role) => role.administrative);
    const others = roles.filter((role) => !role.administrative);
    const manages = managing.some((role) => role.id === value);
    // A role that the person may not give, on a token that has it.
    const kept = value !== null && !roles.some((role) => role.id === value) ? [value] : [];
    if (roles.length + kept.length === 0) {
        return null;
    }
    return (
        <>
            {others.length + kept.length > 0 && (
                <Field label="Role" hint={hintOf(others, value)} error={manages ? undefined : error}>
                    {(control) => (
                        <select
                            {...control}
                            value={manages ? "" : (value ?? "")}
                            disabled={manages}
                            onChange={(event) => onChange(event.currentTarget.value || null)}
                        >
                            <option value="">No role</option>
                            {[...others.map((role) => role.id), ...kept].map((id) => (
                                <option key={id} value={id}>
                                    {id}
                                </option>
                            ))}
                        </select>
                    )}
                </Field>
            )}
            {managing.length > 0 && (
                <ManagingRole roles={managing} value={manages ? value : null} onChange={onChange} error={error} />
            )}
        </>
    );
}

function hintOf(roles: GrantedRole[], value: string | null): string {
    return roles.find((role) => role.id === value)?.description || "What the token may do, as a role says it.";
}

interface ManagingProps {
    roles: GrantedRole[];
    value: string | null;
    onChange: (role: string | null) => void;
    error: string | undefined;
}

function ManagingRole({ roles, value, onChange, error }: ManagingProps) {
    const [first] = roles;
    return (
        <div class="field">
            <label class="choice">
                <input
                    type="checkbox"
                    checked={value !== null}
                    onChange={(event) => onChange(event.currentTarget.checked ? (first?.id ?? null) : null)}
                />
                <span>
                    {roles.length === 1 ? (
                        <>
                            Assign the <strong>{first?.id}</strong> role
                        </>
                    ) : (
                        "Assign a role that manages"
                    )}
                    <span class="hint">
                        {(roles.length === 1 && first?.description) || "It can manage, for example, tokens or members."}
                    </span>
                </span>
            </label>
            {roles.length > 1 && value !== null && (
                <Field label="Managing role" error={error}>
                    {(control) => (
                        <select {...control} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
                            {roles.map((role) => (
                                <option key={role.id} value={role.id}>
                                    {role.id}
                                </option>
                            ))}
                        </select>
                    )}
                </Field>
            )}
        </div>
    );
}
