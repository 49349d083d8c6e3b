import { useState } from "preact/hooks";
import { Link, useLocation } from "wouter-preact";
import { call } from "../../api/client";
import type { Organization } from "../../api/schema";
import { usePages } from "../../api/usePages";
import { Badge } from "../../components/Badge";
import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Empty } from "../../components/Empty";
import { Field } from "../../components/Field";
import { List } from "../../components/List";
import type { Item } from "../../components/Menu";
import { PageHead } from "../../components/PageHead";
import { draftOf, PolicyFields, policyFieldNames, policyFrom } from "../../components/PolicyFields";
import { ProblemNote } from "../../components/ProblemNote";
import { RowMenu } from "../../components/RowMenu";
import { Search } from "../../components/Search";
import { Time } from "../../components/Time";
import { notify } from "../../components/Toasts";
import { useSubmit } from "../../components/useSubmit";
import { pathOf } from "../../rights";
import { useSession } from "../../session";
import { durationText } from "../../text/time";
import { DeleteOrganization, SuspendOrganization } from "../SettingsPage";

type Open = { kind: "create" } | { kind: "suspend" | "delete"; organization: Organization } | null;

// All organizations.
export function OrganizationsPage() {
    const { refresh } = useSession();
    const [, navigate] = useLocation();
    const [query, setQuery] = useState("");
    const [open, setOpen] = useState<Open>(null);
    const pages = usePages(query, async (cursor, signal) => {
        const options = { query: { q: query || undefined, cursor }, signal };
        return (await call("get", "/api/v1/organizations", options)).value;
    });
    function done(text: string): void {
        setOpen(null);
        pages.reload();
        refresh();
        notify(text);
    }
    function itemsOf(organization: Organization): Item[] {
        return [
            { label: "Settings", onSelect: () => navigate(pathTo(organization, "settings")) },
            ...(organization.system
                ? []
                : [
                      {
                          label: organization.suspended ? "Resume" : "Suspend",
                          onSelect: () => setOpen({ kind: "suspend", organization }),
                      },
                      { label: "Delete", danger: true, onSelect: () => setOpen({ kind: "delete", organization }) },
                  ]),
        ];
    }
    const create = (
        <Button kind="primary" icon="plus" onClick={() => setOpen({ kind: "create" })}>
            New organization
        </Button>
    );
    return (
        <>
            <PageHead title="Organizations" place="System">
                {create}
            </PageHead>
            <div class="toolbar">
                <Search label="Search by id or name" onSearch={setQuery} />
            </div>
            <List
                label="Organizations"
                pages={pages}
                keyOf={(row) => row.id}
                columns={[
                    { id: "name", head: "Name", main: true, cell: (row) => <Name organization={row} /> },
                    { id: "status", head: "Status", cell: (row) => <Status organization={row} /> },
                    { id: "policy", head: "Rules", cell: (row) => rulesOf(row) },
                    { id: "created", head: "Created", cell: (row) => <Time at={row.created} none="not known" /> },
                    {
                        id: "row-menu",
                        head: "Actions",
                        quiet: true,
                        cell: (row) => <RowMenu name={row.display_name ?? row.id} items={itemsOf(row)} />,
                    },
                ]}
                empty={
                    query ? (
                        <Empty icon="search" title="No organization is found">
                            <p>No id or name begins with this.</p>
                        </Empty>
                    ) : (
                        <Empty icon="organization" title="There are no organizations yet">
                            <p>Tokens belong to organizations and to people.</p>
                            {create}
                        </Empty>
                    )
                }
            />
            {open?.kind === "create" && (
                <CreateOrganization
                    onClose={() => setOpen(null)}
                    onDone={(made) => done(`${made.display_name ?? made.id} was created.`)}
                />
            )}
            {open?.kind === "suspend" && (
                <SuspendOrganization
                    organization={open.organization}
                    onClose={() => setOpen(null)}
                    onDone={() => done(`${open.organization.id} is now ${open.organization.suspended ? "active" : "suspended"}.`)}
                />
            )}
            {open?.kind === "delete" && (
                <DeleteOrganization
                    organization={open.organization}
                    onClose={() => setOpen(null)}
                    onDone={() => done(`${open.organization.id} was deleted.`)}
                />
            )}
        </>
    );
}

function pathTo(organization: Organization, page: string): string {
    return pathOf({ organization: organization.id, group: null }, page);
}

function Name({ organization }: { organization: Organization }) {
    return (
        <>
            <Link href={pathTo(organization, "tokens")} class="break">
                {organization.display_name ?? organization.id}
            </Link>
            {organization.display_name !== null && <span class="hint break sub">{organization.id}</span>}
        </>
    );
}

function Status({ organization }: { organization: Organization }) {
    return organization.suspended ? (
        <Badge tone="warn">suspended</Badge>
    ) : (
        <span class="badges">
            <Badge tone="good">active</Badge>
            {organization.system && <Badge tone="accent">system</Badge>}
        </span>
    );
}

function rulesOf({ policy }: Organization): string {
    const rules = [
        policy.max_life && `at most ${durationText(policy.max_life)}`,
        policy.max_tokens !== null && `at most ${policy.max_tokens} tokens`,
        policy.require_allow && "addresses required",
    ].filter(Boolean);
    return rules.join(", ") || "none";
}

interface CreateProps {
    onClose: () => void;
    onDone: (organization: Organization) => void;
}

const none = draftOf({ max_life: null, default_life: null, require_allow: false, max_tokens: null });

function CreateOrganization({ onClose, onDone }: CreateProps) {
    const [id, setId] = useState("");
    const [name, setName] = useState("");
    const [policy, setPolicy] = useState(none);
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        const body = { id: id.trim(), display_name: name.trim() || null, policy: policyFrom(policy) };
        onDone((await call("post", "/api/v1/organizations", { body })).value);
    });
    return (
        <Dialog title="New organization" onClose={onClose}>
            <form ref={form} onSubmit={onSubmit} noValidate>
                <div class="dialog-body">
                    <ProblemNote problem={problem} fields={["id", "display_name", ...policyFieldNames]} />
                    <Field label="Id" hint="Letters, digits, . _ and -. It cannot be changed later." error={error("id")}>
                        {(control) => (
                            <input
                                {...control}
                                value={id}
                                autocomplete="off"
                                spellcheck={false}
                                onInput={(event) => setId(event.currentTarget.value)}
                            />
                        )}
                    </Field>
                    <Field label="Name" error={error("display_name")} optional>
                        {(control) => (
                            <input
                                {...control}
                                value={name}
                                autocomplete="off"
                                onInput={(event) => setName(event.currentTarget.value)}
                            />
                        )}
                    </Field>
                    <details class="more">
                        <summary>Rules for its tokens</summary>
                        <PolicyFields policy={policy} onChange={setPolicy} error={error} />
                    </details>
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Cancel</Button>
                    <Button kind="primary" type="submit" busy={busy}>
                        Create organization
                    </Button>
                </footer>
            </form>
        </Dialog>
    );
}
