import { useMemo, useState } from "preact/hooks";
import { useLocation, useSearch } from "wouter-preact";
import { ApiProblem } from "../api/problem";
import { useLoad } from "../api/useLoad";
import { Button } from "../components/Button";
import { Note } from "../components/Note";
import { PageHead } from "../components/PageHead";
import { Pager } from "../components/Pager";
import { ProblemNote } from "../components/ProblemNote";
import { Table } from "../components/Table";
import { notify } from "../components/Toasts";
import { may, organizationOf, placeName } from "../rights";
import { useSession } from "../session";
import { tokenColumns } from "../tokens/columns";
import { filtersOf, isNarrowed, searchOf } from "../tokens/filters";
import { NoTokens } from "../tokens/NoTokens";
import { getGrants, homeKey, type Home } from "../tokens/source";
import { statusItems } from "../tokens/statusItems";
import { TokenDialogs, type Open } from "../tokens/TokenDialogs";
import { Toolbar } from "../tokens/Toolbar";
import { useTokens } from "../tokens/useTokens";
import { NotFoundPage } from "./NotFoundPage";

// The tokens of a person, an organization, or a group.
export function TokensPage({ home }: { home: Home }) {
    const { me } = useSession();
    const [path, navigate] = useLocation();
    const search = useSearch();
    const filters = useMemo(() => filtersOf(search), [search]);
    const narrowed = isNarrowed(filters);
    const [open, setOpen] = useState<Open | null>(null);
    const writes = home === null || may(me, home, "auth:tokens:write");
    const tokens = useTokens(home, filters);
    const grants = useLoad(homeKey(home), async (signal) =>
        writes ? await getGrants(home, signal) : null,
    );
    const { pages } = tokens;
    if (pages.problem instanceof ApiProblem && pages.problem.status === 404) {
        return <NotFoundPage />;
    }
    const items = pages.value?.items ?? null;
    const close = () => setOpen(null);
    const clear = () => navigate(path, { replace: true });
    const newLabel = home === null ? "New token" : "Create access token";
    const newButton = writes && (
        <Button kind="primary" icon="plus" onClick={() => setOpen({ kind: "create" })}>
            {newLabel}
        </Button>
    );
    const columns = tokenColumns(home, {
        onOpen: (token) => setOpen({ kind: "edit", token }),
        isLost: tokens.isLost,
        itemsOf: (token) =>
            !writes
                ? []
                : statusItems(token, (action) =>
                      action === "revoke" || action === "restore"
                          ? void tokens.switchTo(token, action)
                          : setOpen({ kind: action, token }),
                  ),
    });
    return (
        <>
            <PageHead
                title={home === null ? "Your tokens" : "Tokens"}
                {...(home === null ? {} : { place: placeName(me, home) })}
            >
                {newButton}
            </PageHead>
            {home !== null && organizationOf(me, home.organization)?.suspended && <Suspended />}
            <ProblemNote problem={tokens.problem ?? pages.problem}>
                {pages.problem && narrowed && <Button onClick={clear}>Clear filters</Button>}
            </ProblemNote>
            {(items?.length || (!items && !pages.problem) || narrowed || pages.number > 1) && (
                <Toolbar
                    home={home}
                    filters={filters}
                    onChange={(change) =>
                        navigate(path + searchOf({ ...filters, ...change }), { replace: true })
                    }
                    tokens={items ?? []}
                    roles={grants.value?.roles ?? []}
                />
            )}
            {items?.length === 0 ? (
                <NoTokens
                    narrowed={narrowed}
                    more={pages.next !== null}
                    own={home === null}
                    onClear={clear}
                >
                    {newButton}
                </NoTokens>
            ) : (
                (items || !pages.problem) && (
                    <Table
                        label="Tokens"
                        class="tokens"
                        columns={columns}
                        rows={items}
                        keyOf={(token) => token.id}
                        loading={pages.loading}
                    />
                )
            )}
            <Pager pages={pages} />
            {open && (
                <TokenDialogs
                    home={home}
                    open={open}
                    grants={grants}
                    writes={writes}
                    newLabel={newLabel}
                    onMade={tokens.made}
                    onUnanswered={tokens.unanswered}
                    onSaved={(token) => {
                        close();
                        tokens.changed(token);
                        notify(`“${token.name}” is saved.`);
                    }}
                    onDeleted={(token) => {
                        close();
                        tokens.deleted(token);
                    }}
                    onClose={close}
                />
            )}
        </>
    );
}

function Suspended() {
    return (
        <Note tone="warn">
            This organization is suspended: its tokens are refused. You can revoke and delete them.
        </Note>
    );
}
