import type { Grants } from "../api/schema";
import { Choices } from "../components/Choices";
import { Field } from "../components/Field";
import { blocksOf, type Draft } from "./draft";
import { ExpiryField } from "./ExpiryField";
import { Permissions } from "./Permissions";
import { covers } from "./scopes";
import { RoleField } from "./RoleField";
import type { Home } from "./source";

// The API's names of the fields that show their own errors.
export const shownFields = ["name", "description", "expires", "role", "scopes", "allow"] as const;

interface Props {
    home: Home;
    draft: Draft;
    onChange: (change: Partial<Draft>) => void;
    grants: Grants;
    error: (field: string) => string | undefined;
    // Of a token that exists.
    token?: { created: string | null; expires: string | null };
    // What expired or was rotated stays so.
    final?: boolean;
}

// What the dialogs that make and change a token have in common.
export function TokenFields({ home, draft, onChange, grants, error, token, final }: Props) {
    return (
        <>
            <Field label="Name" error={error("name")}>
                {(control) => (
                    <input
                        {...control}
                        value={draft.name}
                        autoFocus
                        autocomplete="off"
                        placeholder="What uses it: Deploy pipeline"
                        onInput={(event) => onChange({ name: event.currentTarget.value })}
                    />
                )}
            </Field>
            <Field label="Description" optional error={error("description")}>
                {(control) => (
                    <textarea
                        {...control}
                        rows={2}
                        value={draft.description}
                        onInput={(event) => onChange({ description: event.currentTarget.value })}
                    />
                )}
            </Field>
            {!final && (
                <ExpiryField
                    value={draft.expiry}
                    onChange={(expiry) => onChange({ expiry })}
                    policy={grants.policy}
                    {...(token ? { token } : {})}
                    error={error("expires")}
                />
            )}
            <Rights home={home} draft={draft} onChange={onChange} grants={grants} error={error} />
            <Addresses draft={draft} onChange={onChange} required={grants.policy.require_allow} error={error("allow")} />
        </>
    );
}

type RightsProps = Pick<Props, "home" | "draft" | "onChange" | "grants" | "error">;

function Rights({ home, draft, onChange, grants, error }: RightsProps) {
    const role = grants.roles.find((each) => each.id === draft.role);
    // Beyond the role, a list grants nothing.
    const catalogue = role
        ? grants.scopes.filter((entry) => covers(role.scopes, entry.scope))
        : grants.scopes;
    const mayAll = home === null || draft.role !== null;
    function choose(id: string | null): void {
        const now = grants.roles.find((each) => each.id === id);
        const scopes = [...draft.scopes].filter((scope) => !now || covers(now.scopes, scope));
        onChange({ role: id, limited: id === null || (draft.role !== null && draft.limited), scopes: new Set(scopes) });
    }
    return (
        <>
            {home !== null && (
                <RoleField value={draft.role} onChange={choose} roles={grants.roles} error={error("role")} />
            )}
            {mayAll && (
                <Choices
                    legend="What it may do"
                    choices={home === null ? ownChoices : roleChoices}
                    value={draft.limited ? "some" : "all"}
                    onChange={(value) => onChange({ limited: value === "some" })}
                />
            )}
            {(draft.limited || !mayAll) && (
                <Permissions
                    catalogue={catalogue}
                    chosen={draft.scopes}
                    onChange={(scopes) => onChange({ scopes, limited: true })}
                    error={error("scopes")}
                />
            )}
        </>
    );
}

const ownChoices = [
    {
        value: "all",
        label: "Everything I may do",
        hint: "In each organization, what you may do there; but not managing tokens, members and the like.",
    },
    { value: "some", label: "Only what I choose", hint: "And never more than you may do yourself." },
];

const roleChoices = [
    { value: "all", label: "Everything that the role allows" },
    { value: "some", label: "Only what I choose of it" },
];

interface AddressesProps {
    draft: Draft;
    onChange: (change: Partial<Draft>) => void;
    required: boolean;
    error: string | undefined;
}

function Addresses({ draft, onChange, required, error }: AddressesProps) {
    const count = blocksOf(draft.allow).length;
    return (
        <Field
            label="Allowed addresses"
            optional={!required}
            hint={
                required
                    ? "This organization wants them: the token works from these addresses only."
                    : "Addresses or CIDR blocks, one a line. If there are any, the token works from these only."
            }
            error={error}
        >
            {(control) => (
                <textarea
                    {...control}
                    class="mono"
                    rows={Math.min(6, Math.max(2, count))}
                    value={draft.allow}
                    spellcheck={false}
                    placeholder={"192.0.2.0/24\n2001:db8::/48"}
                    onInput={(event) => onChange({ allow: event.currentTarget.value })}
                />
            )}
        </Field>
    );
}
