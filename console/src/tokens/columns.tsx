// The columns of a list of tokens.
import type { Token } from "../api/schema";
import { Badge } from "../components/Badge";
import { Icon } from "../components/Icon";
import { Menu, type Item } from "../components/Menu";
import type { Column } from "../components/Table";
import { Time } from "../components/Time";
import { shownId, statusWords } from "./words";

interface Actions {
    onOpen: (token: Token) => void;
    // What the status button offers; nothing, if the person may only look.
    itemsOf: (token: Token) => Item[];
    isLost: (token: Token) => boolean;
}

export function tokenColumns(own: boolean, actions: Actions): Column<Token>[] {
    const common: Column<Token>[] = [
        {
            id: "token",
            head: "Name",
            main: true,
            cell: (token) => <NameCell token={token} {...actions} />,
        },
        { id: "permissions", head: "Permissions", cell: (token) => <Permissions token={token} /> },
        {
            id: "created",
            head: "Created",
            cell: (token) => (
                <>
                    <Time at={token.created} none="Not known" />
                    {!own && token.created_by !== null && <span class="sub">by {token.created_by}</span>}
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
    return common;
}

function NameCell({ token, onOpen, isLost }: { token: Token } & Actions) {
    return (
        <>
            <button type="button" class="link-button clamp" onClick={() => onOpen(token)} title={token.name}>
                {token.name}
            </button>
            <span class="sub mono">
                {shownId(token)}
                {token.group !== null && <Badge>{token.group}</Badge>}
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

const shownScopes = 2;

function Permissions({ token }: { token: Token }) {
    if (token.role === null && token.scopes === null) {
        return <span class="muted">{token.kind === "user" ? "Everything you may do" : "None"}</span>;
    }
    const scopes = token.scopes ?? [];
    const more = scopes.slice(shownScopes);
    return (
        <span class="badges">
            {token.role !== null && <Badge tone="accent" title={token.role}>{token.role}</Badge>}
            {scopes.slice(0, shownScopes).map((scope) => (
                <Badge key={scope} title={scope}>
                    {scope}
                </Badge>
            ))}
            {more.length > 0 && (
                <span class="muted" title={more.join(" ")}>
                    and {more.length} more
                </span>
            )}
        </span>
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
