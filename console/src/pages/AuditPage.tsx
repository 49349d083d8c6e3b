import { useState } from "preact/hooks";
import { call } from "../api/client";
import type { AuditEntry } from "../api/schema";
import { usePages, type Pages } from "../api/usePages";
import { Empty } from "../components/Empty";
import { List } from "../components/List";
import { PageHead } from "../components/PageHead";
import { Search } from "../components/Search";
import { Time } from "../components/Time";
import { placeName } from "../rights";
import { useSession } from "../session";
import { changesOf, sentenceOf, type Change } from "../text/audit";

const periods = [
    { value: "", label: "Any time" },
    { value: "1h", label: "Last hour" },
    { value: "24h", label: "Last 24 hours" },
    { value: "7d", label: "Last 7 days" },
    { value: "30d", label: "Last 30 days" },
];

const ways: Record<string, string> = {
    session: "in the console",
    token: "with a token",
    auth_token: "retrieving a token",
    tokenctl: "with tokenctl",
};

// Who did what, in an organization; without one, everywhere.
export function AuditPage({ organization }: { organization: string | null }) {
    const { me } = useSession();
    const [actor, setActor] = useState("");
    const [token, setToken] = useState("");
    const [since, setSince] = useState("");
    const pages: Pages<AuditEntry> = usePages(`${organization} ${actor} ${token} ${since}`, async (cursor, signal) => {
        const query = {
            organization: organization ?? undefined,
            actor: actor || undefined,
            token: idOf(token) || undefined,
            since: since || undefined,
            cursor,
        };
        return (await call("get", "/api/v1/audit", { query, signal })).value;
    });
    const filtered = actor !== "" || token !== "" || since !== "";
    const place = organization === null ? "System" : placeName(me, { organization, group: null });
    return (
        <>
            <PageHead title="Audit trail" place={place} />
            <div class="toolbar">
                <Search label="By whom" onSearch={setActor} />
                <Search label="Token id" onSearch={setToken} />
                <select aria-label="When" value={since} onChange={(event) => setSince(event.currentTarget.value)}>
                    {periods.map((period) => (
                        <option key={period.value} value={period.value}>
                            {period.label}
                        </option>
                    ))}
                </select>
            </div>
            <List
                label="Audit trail"
                pages={pages}
                keyOf={(row) => String(row.id)}
                columns={[
                    { id: "what", head: "What", main: true, cell: (row) => <What entry={row} page={organization} /> },
                    { id: "changes", head: "Details", cell: (row) => <Changes changes={changesOf(row)} /> },
                    { id: "how", head: "How", cell: (row) => <How entry={row} /> },
                    { id: "at", head: "When", cell: (row) => <Time at={row.at} none="" /> },
                ]}
                empty={
                    <Empty icon="list" title={filtered ? "Nothing is found" : "Nothing has happened yet"}>
                        <p>
                            {filtered
                                ? "Names and ids must be whole. Choose a longer time, or take a filter off."
                                : "Changes of tokens, members and groups appear here."}
                        </p>
                    </Empty>
                }
            />
        </>
    );
}

function What({ entry, page }: { entry: AuditEntry; page: string | null }) {
    const { verb, object, where } = sentenceOf(entry, page);
    return (
        <span class="break">
            <strong>{entry.actor}</strong> {verb} {object && <strong>{object}</strong>} {where}
        </span>
    );
}

function Changes({ changes }: { changes: Change[] }) {
    if (changes.length === 0) {
        return <span class="muted">–</span>;
    }
    return (
        <ul class="changes">
            {changes.map(({ field, from, to }) => (
                <li key={field} class="break">
                    <span class="muted">{field}:</span>{" "}
                    {from !== null && (
                        <>
                            <del>{from}</del> <span aria-hidden="true">→</span>{" "}
                        </>
                    )}
                    {to ?? "none"}
                </li>
            ))}
        </ul>
    );
}

function How({ entry }: { entry: AuditEntry }) {
    return (
        <>
            <span>{(entry.via && ways[entry.via]) ?? "not known"}</span>
            {(entry.token ?? entry.address) && (
                <span class="hint break sub">{[entry.token, entry.address].filter(Boolean).join(" · ")}</span>
            )}
        </>
    );
}

// A whole token is never sent: its id alone is looked for.
function idOf(text: string): string {
    return /^[^.]*_([^.]*)\./.exec(text)?.[1] ?? text;
}
