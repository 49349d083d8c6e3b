import { useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { call } from "../api/client";
import type { Group } from "../api/schema";
import { usePages } from "../api/usePages";
import { Button } from "../components/Button";
import { DeleteAll } from "../components/DeleteAll";
import { Dialog } from "../components/Dialog";
import { Empty } from "../components/Empty";
import { Field } from "../components/Field";
import { List } from "../components/List";
import { PageHead } from "../components/PageHead";
import { ProblemNote } from "../components/ProblemNote";
import { RowMenu } from "../components/RowMenu";
import { Time } from "../components/Time";
import { notify } from "../components/Toasts";
import { useSubmit } from "../components/useSubmit";
import { may, pathOf, placeName } from "../rights";
import { useSession } from "../session";

// The groups of an organization.
export function GroupsPage({ organization }: { organization: string }) {
    const { me, refresh } = useSession();
    const [adding, setAdding] = useState(false);
    const [removing, setRemoving] = useState<Group | null>(null);
    const place = { organization, group: null };
    const pages = usePages(organization, async (cursor, signal) => {
        const options = { path: { org: organization }, query: { cursor }, signal };
        return (await call("get", "/api/v1/organizations/{org}/groups", options)).value;
    });
    const writes = may(me, place, "auth:groups:write");
    function done(text: string): void {
        setAdding(false);
        setRemoving(null);
        pages.reload();
        refresh();
        notify(text);
    }
    const add = writes && (
        <Button kind="primary" icon="plus" onClick={() => setAdding(true)}>
            Add group
        </Button>
    );
    return (
        <>
            <PageHead title="Groups" place={placeName(me, place)}>
                {add}
            </PageHead>
            <List
                label="Groups"
                pages={pages}
                keyOf={(row) => row.id}
                columns={[
                    {
                        id: "name",
                        head: "Group",
                        main: true,
                        cell: (row) => <span class="break">{row.id}</span>,
                    },
                    { id: "links", head: "Pages", cell: (row) => <Pages group={row} /> },
                    { id: "created", head: "Added", cell: (row) => <Time at={row.created} none="not known" /> },
                    {
                        id: "row-menu",
                        head: "Actions",
                        quiet: true,
                        cell: (row) =>
                            writes && (
                                <RowMenu
                                    name={row.id}
                                    items={[{ label: "Remove", danger: true, onSelect: () => setRemoving(row) }]}
                                />
                            ),
                    },
                ]}
                empty={
                    <Empty icon="groups" title="There are no groups yet">
                        <p>A group has tokens and administrators of its own.</p>
                        {add}
                    </Empty>
                }
            />
            {adding && (
                <AddGroup
                    organization={organization}
                    onClose={() => setAdding(false)}
                    onDone={(group) => done(`The group ${group.id} was added.`)}
                />
            )}
            {removing && (
                <DeleteAll
                    title={`Remove the group ${removing.id}?`}
                    action="Remove group"
                    typed={removing.id}
                    onDelete={(force) =>
                        call("delete", "/api/v1/organizations/{org}/groups/{group}", {
                            path: { org: organization, group: removing.id },
                            query: { force },
                        })
                    }
                    onDone={() => done(`The group ${removing.id} was removed.`)}
                    onClose={() => setRemoving(null)}
                >
                    <p>Its memberships end. This cannot be undone.</p>
                </DeleteAll>
            )}
        </>
    );
}

function Pages({ group }: { group: Group }) {
    const { me } = useSession();
    const place = { organization: group.organization, group: group.id };
    return (
        <span class="links">
            {may(me, place, "auth:tokens:read") && <Link href={pathOf(place, "tokens")}>Tokens</Link>}
            {may(me, place, "auth:members:read") && <Link href={pathOf(place, "members")}>Members</Link>}
        </span>
    );
}

interface AddProps {
    organization: string;
    onClose: () => void;
    onDone: (group: Group) => void;
}

function AddGroup({ organization, onClose, onDone }: AddProps) {
    const [id, setId] = useState("");
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        const options = { path: { org: organization }, body: { id: id.trim() } };
        onDone((await call("post", "/api/v1/organizations/{org}/groups", options)).value);
    });
    return (
        <Dialog title="Add a group" onClose={onClose}>
            <form ref={form} onSubmit={onSubmit} noValidate>
                <div class="dialog-body">
                    <ProblemNote problem={problem} fields={["id"]} />
                    <Field label="Name" hint="Letters, digits, . _ and -. It cannot be changed later." error={error("id")}>
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
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Cancel</Button>
                    <Button kind="primary" type="submit" busy={busy}>
                        Add group
                    </Button>
                </footer>
            </form>
        </Dialog>
    );
}
