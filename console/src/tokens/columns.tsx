// The columns of a list of tokens.
import type { Token } from "../api/schema";
import { Badge } from "../components/Badge";
import { Icon } from "../components/Icon";
import { Menu, type Item } from "../components/Menu";
import type { Column } from "../components/Table";
import { Time } from "../components/Time";
import type { Home } from "./source";
import { shownId, statusWords } from "./words";

interface Actions {
    onOpen: (token: Token) => void;
    // What the status button offers; nothing, if the person may only look.
    itemsOf: (token: Token) => Item[];
    isLost: (token: Token) => boolean;
}

export function tokenColumns(home: Home, actions: Actions): Column<Token>[] {
    return [
        {
            id: "token",
            head: "Name",
            main: true,
            cell: (token) => <NameCell token={token} inGroup={home?.group ?? null} {...actions} />,
        },
        { id: "permissions", head: "Permissions", cell: (token) => <Permissions token={token} /> },
        {
            id: "created",
            head: "Created",
            cell: (token) => (
                <>
                    <Time at={token.created} none="Not known" />
                    {home !== null && token.created_by !== null && <span class="sub">by {token.created_by}</span>}
                </>
            ),
        },
        { id: "expires", head: "Expires", cell: (token) => <Expires token={token} /> },
        { id: "used", head: "Last used", cell: (token) => <Time at={token.last_used} none="Never" /> },
        {
            id: "status",
            head: "Status",
            cell: (token) => <StatusButton token={token} items={actions.itemsOf(token)} />,
        },
    ];
}

interface NameProps extends Actions {
    token: Token;
    // The group whose list it is.
    inGroup: string | null;
}

function NameCell({ token, inGroup, onOpen, isLost }: NameProps) {
    return (
        <>
            <button type="button" class="link-button clamp" onClick={() => onOpen(token)} title={token.name}>
                {token.name}
            </button>
            <span class="sub mono">
                {shownId(token)}
                {token.group !== inGroup && <Badge>{token.group}</Badge>}
            </span>
            {isLost(token) && (
                <p class="lost">
                    <Icon name="alert" />
                    {token.status === "revoked"
                        ? "The answer with this token was lost, and it is revoked. Delete it, and create another one."
                        : "The answer with this token was lost, and nobody has it. Rotate or delete it."}
                </p>
            )}
        </>
    );
}

function Permissions({ token }: { token: Token }) {
    const scopes = token.scopes?.join(", ");
    if (token.role === null && scopes === undefined) {
        return <span class="muted">{token.kind === "user" ? "Everything you may do" : "None"}</span>;
    }
    return (
        <>
            {token.role !== null && (
                <Badge tone="accent" title={token.role}>
                    {token.role}
                </Badge>
            )}
            {scopes !== undefined && (
                <span class="mono clamp" title={scopes}>
                    {scopes}
                </span>
            )}
        </>
    );
}

const soon = 7 * 86400_000;

function Expires({ token }: { token: Token }) {
    const left = token.expires === null ? Infinity : Date.parse(token.expires) - Date.now();
    const near = token.status === "active" && left < soon;
    return (
        <span class={near ? "near" : undefined}>
            {near && <Icon name="alert" />}
            <Time at={token.expires} none="Never" />
        </span>
    );
}

function StatusButton({ token, items }: { token: Token; items: Item[] }) {
    const { label, tone } = statusWords[token.status];
    if (items.length === 0) {
        return <Badge tone={tone}>{label}</Badge>;
    }
    return (
        <Menu class={`badge ${tone}`} label={`${label}: change ${token.name}`} items={items}>
            {label}
            <Icon name="chevron" />
        </Menu>
    );
}
