import type { ComponentChildren } from "preact";
import type { GrantedRole, Status, Token } from "../api/schema";
import { Search } from "../components/Search";
import { useSession } from "../session";
import type { Filters } from "./filters";
import type { Home } from "./source";
import { statusWords } from "./words";

interface Props {
    home: Home;
    filters: Filters;
    onChange: (change: Filters) => void;
    // To choose roles and makers from.
    tokens: Token[];
    roles: GrantedRole[];
}

export function Toolbar({ home, filters, onChange, tokens, roles: granted }: Props) {
    const { me } = useSession();
    const roles = known([
        ...granted.map((role) => role.id),
        ...tokens.map((token) => token.role),
        filters.role,
    ]);
    const makers = known([
        me.user,
        ...tokens.map((token) => token.created_by),
        filters.created_by,
    ]);
    return (
        <div class="toolbar" role="search" aria-label="Tokens">
            <Search
                label="Name or id"
                value={filters.q ?? ""}
                onSearch={(q) => onChange({ q: q || undefined })}
            />
            <Select label="Status" value={filters.status} onChange={(status) => onChange({ status: status as Status })}>
                <option value="">All statuses</option>
                {Object.entries(statusWords).map(([status, { label }]) => (
                    <option key={status} value={status}>
                        {label}
                    </option>
                ))}
            </Select>
            {home && (
                <Select label="Role" value={filters.role} onChange={(role) => onChange({ role })}>
                    <option value="">All roles</option>
                    {roles.map((role) => (
                        <option key={role}>{role}</option>
                    ))}
                </Select>
            )}
            {home && (
                <Select label="Made by" value={filters.created_by} onChange={(created_by) => onChange({ created_by })}>
                    <option value="">Any maker</option>
                    {makers.map((maker) => (
                        <option key={maker} value={maker}>
                            By {maker}
                        </option>
                    ))}
                </Select>
            )}
            <Select label="Use" value={useOf(filters)} onChange={(use) => onChange(filtersOfUse(use))}>
                <option value="">Used or not</option>
                <option value="expiring=7d">Expires in 7 days</option>
                <option value="expiring=30d">Expires in 30 days</option>
                <option value="unused=30d">Unused 30 days</option>
                <option value="unused=90d">Unused 90 days</option>
            </Select>
            <Select
                label="Order"
                value={filters.sort}
                onChange={(sort) => onChange({ sort: sort as NonNullable<Filters["sort"]> })}
            >
                <option value="">Newest first</option>
                <option value="created">Oldest first</option>
                <option value="name">By name</option>
                <option value="expires">Expiring first</option>
            </Select>
            {home?.group === null && (
                <label class="choice toolbar-choice">
                    <input
                        type="checkbox"
                        checked={filters.include === "groups"}
                        onChange={(event) => onChange({ include: event.currentTarget.checked ? "groups" : undefined })}
                    />
                    <span>With groups</span>
                </label>
            )}
        </div>
    );
}

// Sorted, without repetitions.
function known(values: (string | null | undefined)[]): string[] {
    return [...new Set(values.filter((value) => typeof value === "string"))].sort();
}

function useOf(filters: Filters): string {
    if (filters.expiring) {
        return `expiring=${filters.expiring}`;
    }
    return filters.unused ? `unused=${filters.unused}` : "";
}

function filtersOfUse(use: string | undefined): Filters {
    const [name, time] = use?.split("=") ?? [];
    return { expiring: undefined, unused: undefined, ...(name ? { [name]: time } : {}) };
}

interface SelectProps {
    label: string;
    value: string | undefined;
    onChange: (value: string | undefined) => void;
    children: ComponentChildren;
}

function Select({ label, value, onChange, children }: SelectProps) {
    return (
        <select
            aria-label={label}
            value={value ?? ""}
            class={value ? "set" : undefined}
            onChange={(event) => onChange(event.currentTarget.value || undefined)}
        >
            {children}
        </select>
    );
}
