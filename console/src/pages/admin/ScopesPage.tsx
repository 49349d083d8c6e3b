import { useState } from "preact/hooks";
import { call } from "../../api/client";
import { ApiProblem } from "../../api/problem";
import type { CatalogueEntry } from "../../api/schema";
import { useEdit } from "../../api/useEdit";
import { Button } from "../../components/Button";
import { Confirm } from "../../components/Confirm";
import { Dialog } from "../../components/Dialog";
import { Empty } from "../../components/Empty";
import { Field } from "../../components/Field";
import { PageHead } from "../../components/PageHead";
import { ProblemNote } from "../../components/ProblemNote";
import { RowMenu } from "../../components/RowMenu";
import { Table } from "../../components/Table";
import { notify } from "../../components/Toasts";
import { useSubmit } from "../../components/useSubmit";

// `at`: the scope that is changed; null: a new one.
type Open = { kind: "edit"; at: CatalogueEntry | null } | { kind: "remove"; at: CatalogueEntry } | null;

// The catalogue of scopes to choose from. The API changes it as a whole, by its tag: if somebody
// else was faster, it is loaded anew, and what was typed applies to that when it is sent again.
export function ScopesPage() {
    const [open, setOpen] = useState<Open>(null);
    const edit = useEdit(() => call("get", "/api/v1/scopes", {}));
    const items = edit.base?.items ?? null;
    async function put(change: (items: CatalogueEntry[]) => CatalogueEntry[], text: string): Promise<void> {
        const body = { items: change(items ?? []) };
        try {
            await edit.save((ifMatch) => call("put", "/api/v1/scopes", { body, ifMatch }));
        } catch (error) {
            if (error instanceof ApiProblem && error.code === "changed_meanwhile") {
                const detail = "Somebody else changed the catalogue meanwhile. Nothing was done yet: send it again to apply it to what is there now.";
                throw new ApiProblem(412, { code: error.code, detail }, null);
            }
            throw error;
        }
        setOpen(null);
        edit.reload();
        notify(text);
    }
    const add = (
        <Button kind="primary" icon="plus" onClick={() => setOpen({ kind: "edit", at: null })}>
            New scope
        </Button>
    );
    return (
        <>
            <PageHead title="Scopes" place="System">
                {add}
            </PageHead>
            <p class="lead">
                The catalogue from which people choose permissions for their tokens. What stands before the first colon groups them.
            </p>
            <ProblemNote problem={edit.problem} />
            {items?.length === 0 ? (
                <Empty icon="key" title="The catalogue is empty">
                    <p>Without it, nobody can choose permissions for a token: roles decide alone.</p>
                    {add}
                </Empty>
            ) : (
                <Table
                    label="Scopes"
                    rows={items}
                    loading={items === null && !edit.problem}
                    keyOf={(row) => row.scope}
                    columns={[
                        { id: "name", head: "Scope", main: true, cell: (row) => <span class="mono break">{row.scope}</span> },
                        { id: "description", head: "Description", cell: (row) => <span class="break">{row.description || "–"}</span> },
                        {
                            id: "row-menu",
                            head: "Actions",
                            quiet: true,
                            cell: (row) => (
                                <RowMenu
                                    name={row.scope}
                                    items={[
                                        { label: "Edit", onSelect: () => setOpen({ kind: "edit", at: row }) },
                                        { label: "Remove", danger: true, onSelect: () => setOpen({ kind: "remove", at: row }) },
                                    ]}
                                />
                            ),
                        },
                    ]}
                />
            )}
            {open?.kind === "edit" && (
                <ScopeDialog
                    at={open.at}
                    taken={(scope) => (items ?? []).some((each) => each.scope === scope)}
                    onClose={() => setOpen(null)}
                    onSave={(entry) =>
                        put(
                            (all) => [...all.filter((each) => each.scope !== entry.scope), entry],
                            `${entry.scope} is in the catalogue.`,
                        )
                    }
                />
            )}
            {open?.kind === "remove" && (
                <Confirm
                    title={`Remove ${open.at.scope} from the catalogue?`}
                    action="Remove scope"
                    onClose={() => setOpen(null)}
                    onConfirm={() =>
                        put(
                            (all) => all.filter((each) => each.scope !== open.at.scope),
                            `${open.at.scope} was removed from the catalogue.`,
                        )
                    }
                >
                    <p>Tokens and roles that have it keep it. It is not offered any more.</p>
                </Confirm>
            )}
        </>
    );
}

interface Props {
    at: CatalogueEntry | null;
    taken: (scope: string) => boolean;
    onClose: () => void;
    onSave: (entry: CatalogueEntry) => Promise<void>;
}

function ScopeDialog({ at, taken, onClose, onSave }: Props) {
    const [scope, setScope] = useState(at?.scope ?? "");
    const [description, setDescription] = useState(at?.description ?? "");
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        const name = scope.trim();
        if (!at && taken(name)) {
            const errors = [{ field: "scope", detail: "is in the catalogue already" }];
            throw new ApiProblem(409, { detail: "Nothing was changed.", errors }, null);
        }
        await onSave({ scope: name, description });
    });
    // The API names the field by its place in the whole catalogue.
    const wrong = (field: string) =>
        error(field) ?? (problem instanceof ApiProblem && [...problem.fields].find(([name]) => name.endsWith(`.${field}`) || name.endsWith(`]${field}`))?.[1]) ?? undefined;
    return (
        <Dialog title={at ? `Edit ${at.scope}` : "New scope"} onClose={onClose}>
            <form ref={form} onSubmit={onSubmit} noValidate>
                <div class="dialog-body">
                    <ProblemNote problem={problem} fields={["scope", "description"]} />
                    {!at && (
                        <Field label="Scope" hint="Such as agents:read." error={wrong("scope") || undefined}>
                            {(control) => (
                                <input
                                    {...control}
                                    class="mono"
                                    value={scope}
                                    autocomplete="off"
                                    autocapitalize="none"
                                    spellcheck={false}
                                    onInput={(event) => setScope(event.currentTarget.value)}
                                />
                            )}
                        </Field>
                    )}
                    <Field label="Description" hint="What it allows, for people: See agents." error={wrong("description") || undefined} optional>
                        {(control) => (
                            <input
                                {...control}
                                value={description}
                                autocomplete="off"
                                onInput={(event) => setDescription(event.currentTarget.value)}
                            />
                        )}
                    </Field>
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Cancel</Button>
                    <Button kind="primary" type="submit" busy={busy}>
                        {at ? "Save" : "Add scope"}
                    </Button>
                </footer>
            </form>
        </Dialog>
    );
}
