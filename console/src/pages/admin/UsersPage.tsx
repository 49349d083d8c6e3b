import { useState } from "preact/hooks";
import { call } from "../../api/client";
import type { User } from "../../api/schema";
import { usePages } from "../../api/usePages";
import { Badge } from "../../components/Badge";
import { Button } from "../../components/Button";
import { Confirm } from "../../components/Confirm";
import { DeleteAll } from "../../components/DeleteAll";
import { Empty } from "../../components/Empty";
import { List } from "../../components/List";
import type { Item } from "../../components/Menu";
import { PageHead } from "../../components/PageHead";
import { Person } from "../../components/Person";
import { RowMenu } from "../../components/RowMenu";
import { Search } from "../../components/Search";
import { Time } from "../../components/Time";
import { notify } from "../../components/Toasts";
import { useSession } from "../../session";
import { EditUser, CreateUser } from "./UserDialogs";
import { SetPassword } from "./SetPassword";

type Open =
    | { kind: "create" }
    | { kind: "edit" | "password" | "removePassword" | "disable" | "delete"; user: User }
    | null;

// All people.
export function UsersPage() {
    const { me } = useSession();
    const [query, setQuery] = useState("");
    const [open, setOpen] = useState<Open>(null);
    const pages = usePages(query, async (cursor, signal) => {
        const options = { query: { q: query || undefined, cursor }, signal };
        return (await call("get", "/api/v1/users", options)).value;
    });
    function done(text: string): void {
        setOpen(null);
        pages.reload();
        notify(text);
    }
    function itemsOf(user: User): Item[] {
        const ask = (kind: "edit" | "password" | "removePassword" | "disable" | "delete") => () => setOpen({ kind, user });
        return [
            { label: "Edit", onSelect: ask("edit") },
            { label: "Set password", onSelect: ask("password") },
            ...(user.has_password ? [{ label: "Take password away", onSelect: ask("removePassword") }] : []),
            // Nobody locks themselves out by a slip of the mouse.
            ...(user.id === me.user
                ? []
                : [
                      { label: user.disabled ? "Enable" : "Disable", onSelect: ask("disable") },
                      { label: "Delete", danger: true, onSelect: ask("delete") },
                  ]),
        ];
    }
    const create = (
        <Button kind="primary" icon="plus" onClick={() => setOpen({ kind: "create" })}>
            New person
        </Button>
    );
    return (
        <>
            <PageHead title="People" place="System">
                {create}
            </PageHead>
            <div class="toolbar">
                <Search label="Search by user or name" onSearch={setQuery} />
            </div>
            <List
                label="People"
                pages={pages}
                keyOf={(row) => row.id}
                columns={[
                    {
                        id: "name",
                        head: "Name",
                        main: true,
                        cell: (row) => <Person id={row.id} name={row.display_name} />,
                    },
                    { id: "email", head: "E-mail", cell: (row) => <span class="break">{row.email ?? "–"}</span> },
                    { id: "logIn", head: "Logs in by", cell: (row) => waysOf(row) },
                    {
                        id: "status",
                        head: "Status",
                        cell: (row) => (row.disabled ? <Badge tone="bad">disabled</Badge> : <Badge tone="good">active</Badge>),
                    },
                    { id: "created", head: "Added", cell: (row) => <Time at={row.created} none="not known" /> },
                    { id: "row-menu", head: "Actions", quiet: true, cell: (row) => <RowMenu name={row.display_name ?? row.id} items={itemsOf(row)} /> },
                ]}
                empty={
                    <Empty icon="person" title={query ? "Nobody is found" : "There is nobody yet"}>
                        <p>{query ? "No user or name begins with this." : "People log in here and have tokens of their own."}</p>
                        {!query && create}
                    </Empty>
                }
            />
            <Dialogs open={open} onClose={() => setOpen(null)} onDone={done} onCreated={(user) => {
                done(`${user.display_name ?? user.id} was added.`);
                setOpen({ kind: "password", user });
            }} />
        </>
    );
}

function waysOf(user: User): string {
    const ways = [user.has_password && "password", user.sso_name !== null && `sign-on as ${user.sso_name}`];
    return ways.filter(Boolean).join(", ") || "sign-on only";
}

interface DialogsProps {
    open: Open;
    onClose: () => void;
    onDone: (text: string) => void;
    onCreated: (user: User) => void;
}

function Dialogs({ open, onClose, onDone, onCreated }: DialogsProps) {
    if (!open) {
        return null;
    }
    if (open.kind === "create") {
        return <CreateUser onClose={onClose} onDone={onCreated} />;
    }
    const { user } = open;
    const name = user.display_name ?? user.id;
    switch (open.kind) {
        case "edit":
            return <EditUser user={user} onClose={onClose} onDone={() => onDone(`${name} was changed.`)} />;
        case "password":
            return <SetPassword user={user} onClose={onClose} onDone={() => onDone(`${name} has a new password.`)} />;
        case "removePassword":
            return (
                <Confirm
                    title={`Take the password of ${name} away?`}
                    action="Take password away"
                    onClose={onClose}
                    onConfirm={async () => {
                        await call("put", "/api/v1/users/{user}/password", { path: { user: user.id }, body: { new: null } });
                        onDone(`${name} has no password now.`);
                    }}
                >
                    <p>They are logged out, and can log in by single sign-on only.</p>
                </Confirm>
            );
        case "disable":
            return <Disable user={user} name={name} onClose={onClose} onDone={onDone} />;
        case "delete":
            return (
                <DeleteAll
                    title={`Delete ${name}?`}
                    action="Delete person"
                    typed={user.id}
                    onDelete={(force) => call("delete", "/api/v1/users/{user}", { path: { user: user.id }, query: { force } })}
                    onDone={() => onDone(`${name} was deleted.`)}
                    onClose={onClose}
                >
                    <p>Their memberships end. Tokens that they made for organizations stay. This cannot be undone.</p>
                </DeleteAll>
            );
    }
}

interface DisableProps {
    user: User;
    name: string;
    onClose: () => void;
    onDone: (text: string) => void;
}

function Disable({ user, name, onClose, onDone }: DisableProps) {
    const disabled = !user.disabled;
    return (
        <Confirm
            title={disabled ? `Disable ${name}?` : `Enable ${name}?`}
            action={disabled ? "Disable" : "Enable"}
            onClose={onClose}
            onConfirm={async () => {
                await call("patch", "/api/v1/users/{user}", { path: { user: user.id }, body: { disabled } });
                onDone(`${name} is now ${disabled ? "disabled" : "active"}.`);
            }}
        >
            <p>
                {disabled
                    ? "They are logged out, and their personal tokens are refused, until they are enabled again."
                    : "They can log in again, and their personal tokens are let in."}
            </p>
        </Confirm>
    );
}
