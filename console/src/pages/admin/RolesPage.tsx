import { useState } from "preact/hooks";
import { call } from "../../api/client";
import type { Role } from "../../api/schema";
import { usePages } from "../../api/usePages";
import { Badge } from "../../components/Badge";
import { Button } from "../../components/Button";
import { Confirm } from "../../components/Confirm";
import { Empty } from "../../components/Empty";
import { List } from "../../components/List";
import { PageHead } from "../../components/PageHead";
import { RowMenu } from "../../components/RowMenu";
import { notify } from "../../components/Toasts";
import { RoleDialog } from "./RoleDialog";

type Open = { kind: "new" } | { kind: "edit" | "delete"; role: Role } | null;

// All roles, with the scopes that each stands for.
export function RolesPage() {
    const [open, setOpen] = useState<Open>(null);
    const pages = usePages("roles", async (cursor, signal) => {
        return (await call("get", "/api/v1/roles", { query: { cursor }, signal })).value;
    });
    function done(text: string): void {
        setOpen(null);
        pages.reload();
        notify(text);
    }
    const create = (
        <Button kind="primary" icon="plus" onClick={() => setOpen({ kind: "new" })}>
            New role
        </Button>
    );
    return (
        <>
            <PageHead title="Roles" place="System">
                {create}
            </PageHead>
            <List
                label="Roles"
                pages={pages}
                keyOf={(row) => row.id}
                columns={[
                    {
                        id: "name",
                        head: "Role",
                        main: true,
                        cell: (row) => (
                            <>
                                <span class="break">{row.id}</span>
                                {row.description && <span class="hint break sub">{row.description}</span>}
                            </>
                        ),
                    },
                    { id: "scopes", head: "Scopes", cell: (row) => <Scopes scopes={row.scopes} /> },
                    {
                        id: "row-menu",
                        head: "Actions",
                        quiet: true,
                        cell: (row) => (
                            <RowMenu
                                name={row.id}
                                items={[
                                    { label: "Edit", onSelect: () => setOpen({ kind: "edit", role: row }) },
                                    { label: "Delete", danger: true, onSelect: () => setOpen({ kind: "delete", role: row }) },
                                ]}
                            />
                        ),
                    },
                ]}
                empty={
                    <Empty icon="settings" title="There are no roles yet">
                        <p>A role is a name for some scopes. Members have one, and tokens may.</p>
                        {create}
                    </Empty>
                }
            />
            {open?.kind === "new" && (
                <RoleDialog role={null} onClose={() => setOpen(null)} onDone={(role) => done(`The role ${role.id} was added.`)} />
            )}
            {open?.kind === "edit" && (
                <RoleDialog
                    role={open.role}
                    onClose={() => setOpen(null)}
                    onDone={(role) => done(`The role ${role.id} was changed.`)}
                />
            )}
            {open?.kind === "delete" && (
                <Confirm
                    title={`Delete the role ${open.role.id}?`}
                    action="Delete role"
                    onClose={() => setOpen(null)}
                    onConfirm={async () => {
                        await call("delete", "/api/v1/roles/{role}", { path: { role: open.role.id } });
                        done(`The role ${open.role.id} was deleted.`);
                    }}
                >
                    <p>Only a role that no member and no token has can be deleted.</p>
                </Confirm>
            )}
        </>
    );
}

function Scopes({ scopes }: { scopes: string[] }) {
    return (
        <span class="badges">
            {scopes.map((scope) => (
                <Badge key={scope} tone={scope.startsWith("auth:") ? "accent" : "plain"}>
                    {scope}
                </Badge>
            ))}
        </span>
    );
}
