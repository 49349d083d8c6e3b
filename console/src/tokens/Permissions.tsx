import { useId, useState } from "preact/hooks";
import type { CatalogueEntry } from "../api/schema";
import { FieldError } from "../components/Field";
import { Icon } from "../components/Icon";
import { groupsOf, type PermissionGroup } from "./scopes";

interface Props {
    catalogue: CatalogueEntry[];
    chosen: ReadonlySet<string>;
    onChange: (chosen: ReadonlySet<string>) => void;
    error: string | undefined;
}

// The permissions to choose from, an accordion by what stands before the colon.
export function Permissions({ catalogue, chosen, onChange, error }: Props) {
    const id = useId();
    const groups = groupsOf(catalogue, chosen);
    if (groups.length === 0) {
        return <p class="hint">There are no permissions to choose from that you hold.</p>;
    }
    return (
        <fieldset
            class="field"
            aria-invalid={error ? true : undefined}
            aria-describedby={error ? `${id}-error` : undefined}
            tabIndex={-1}
        >
            <legend>
                Permissions <span class="muted">({chosen.size} chosen)</span>
            </legend>
            <div class="accordion">
                {groups.map((group) => (
                    <Group
                        key={group.name}
                        group={group}
                        chosen={chosen}
                        onChange={onChange}
                        open={groups.length === 1}
                    />
                ))}
            </div>
            <FieldError id={`${id}-error`} error={error} />
        </fieldset>
    );
}

interface GroupProps {
    group: PermissionGroup;
    chosen: ReadonlySet<string>;
    onChange: (chosen: ReadonlySet<string>) => void;
    open: boolean;
}

function Group({ group, chosen, onChange, open }: GroupProps) {
    const count = group.entries.filter((entry) => chosen.has(entry.scope)).length;
    function choose(scopes: string[], on: boolean): void {
        const next = new Set(chosen);
        scopes.forEach((scope) => (on ? next.add(scope) : next.delete(scope)));
        onChange(next);
    }
    // What is chosen already is seen at once.
    const [shown] = useState(open || count > 0);
    return (
        <details open={shown}>
            <summary>
                <Icon name="chevron" />
                <span class="break">{group.name}</span>
                <span class="muted">
                    {count} of {group.entries.length}
                </span>
            </summary>
            <div class="choices">
                {group.entries.length > 1 && (
                    <AllOfThese
                        name={group.name}
                        some={count > 0}
                        all={count === group.entries.length}
                        onChange={(on) =>
                            choose(
                                group.entries.map((entry) => entry.scope),
                                on,
                            )
                        }
                    />
                )}
                {group.entries.map((entry) => (
                    <label key={entry.scope} class="choice">
                        <input
                            type="checkbox"
                            checked={chosen.has(entry.scope)}
                            onChange={(event) => choose([entry.scope], event.currentTarget.checked)}
                        />
                        <span>
                            <code>{entry.scope}</code>
                            <span class="hint">{entry.description}</span>
                        </span>
                    </label>
                ))}
            </div>
        </details>
    );
}

interface AllProps {
    name: string;
    some: boolean;
    all: boolean;
    onChange: (on: boolean) => void;
}

function AllOfThese({ name, some, all, onChange }: AllProps) {
    return (
        <label class="choice all">
            <input
                type="checkbox"
                checked={all}
                ref={(input) => {
                    if (input) {
                        input.indeterminate = some && !all;
                    }
                }}
                onChange={(event) => onChange(event.currentTarget.checked)}
            />
            <span>
                All of these <span class="hidden">of {name}</span>
            </span>
        </label>
    );
}
