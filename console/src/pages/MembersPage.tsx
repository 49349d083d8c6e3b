import { useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import { call } from "../api/client";
import type { Member } from "../api/schema";
import { usePages } from "../api/usePages";
import { Badge } from "../components/Badge";
import { Button } from "../components/Button";
import { Empty } from "../components/Empty";
import { List } from "../components/List";
import type { Item } from "../components/Menu";
import { PageHead } from "../components/PageHead";
import { Person } from "../components/Person";
import { RowMenu } from "../components/RowMenu";
import { Search } from "../components/Search";
import { Time } from "../components/Time";
import { notify } from "../components/Toasts";
import { may, placeName, type Place } from "../rights";
import { useSession } from "../session";
import { AddMember, ChangeRole } from "./MemberDialogs";
import { RemoveMember } from "./RemoveMember";

type Open = { kind: "add" } | { kind: "role" | "remove"; member: Member } | null;

// The members of an organization, with those of its groups, or of one group.
export function MembersPage({ place }: { place: Place }) {
    const { me } = useSession();
    const [, navigate] = useLocation();
    const [query, setQuery] = useState("");
    const [open, setOpen] = useState<Open>(null);
    const pages = usePages(`${place.organization} ${place.group ?? ""} ${query}`, async (cursor, signal) => {
        const filter = { q: query || undefined, cursor };
        const answer =
            place.group === null
                ? await call("get", "/api/v1/organizations/{org}/members", {
                      path: { org: place.organization },
                      query: { ...filter, include: "groups" },
                      signal,
                  })
                : await call("get", "/api/v1/organizations/{org}/groups/{group}/members", {
                      path: { org: place.organization, group: place.group },
                      query: filter,
                      signal,
                  });
        return answer.value;
    });
    const writes = may(me, place, "auth:members:write");

    function itemsOf(member: Member): Item[] {
        const self = member.user === me.user;
        return [
            ...(writes ? [{ label: "Change role", onSelect: () => setOpen({ kind: "role", member }) }] : []),
            ...(writes || self
                ? [
                      {
                          label: self ? "Leave" : "Remove",
                          danger: true,
                          onSelect: () => setOpen({ kind: "remove", member }),
                      },
                  ]
                : []),
        ];
    }
    function done(text: string): void {
        setOpen(null);
        pages.reload();
        notify(text);
    }
    function removed(member: Member): void {
        if (member.user === me.user) {
            // All else depends on it: begin anew.
            window.location.assign("/");
        } else {
            done(`${member.display_name ?? member.user} was removed.`);
        }
    }
    const add = writes && (
        <Button kind="primary" icon="plus" onClick={() => setOpen({ kind: "add" })}>
            Add member
        </Button>
    );
    return (
        <>
            <PageHead title="Members" place={placeName(me, place)}>
                {add}
            </PageHead>
            <div class="toolbar">
                <Search label="Search by name or user" onSearch={setQuery} />
            </div>
            <List
                label="Members"
                pages={pages}
                keyOf={(row) => `${row.user} ${row.group ?? ""}`}
                columns={[
                    {
                        id: "name",
                        head: "Name",
                        main: true,
                        cell: (row) => <Person id={row.user} name={row.display_name} />,
                    },
                    { id: "role", head: "Role", cell: (row) => <Badge>{row.role}</Badge> },
                    ...(place.group === null
                        ? [
                              {
                                  id: "group",
                                  head: "Of",
                                  cell: (row: Member) =>
                                      row.group === null ? "the organization" : <>group {row.group}</>,
                              },
                          ]
                        : []),
                    { id: "created", head: "Added", cell: (row) => <Time at={row.created} none="not known" /> },
                    {
                        id: "row-menu",
                        head: "Actions",
                        quiet: true,
                        cell: (row) => <RowMenu name={row.display_name ?? row.user} items={itemsOf(row)} />,
                    },
                ]}
                empty={
                    query ? (
                        <Empty icon="search" title="Nobody is found">
                            <p>No member’s name or user begins with this.</p>
                        </Empty>
                    ) : (
                        <Empty icon="groups" title="Nobody is a member yet">
                            <p>Members manage tokens here, by their role.</p>
                            {add}
                        </Empty>
                    )
                }
            />
            {open?.kind === "add" && (
                <AddMember
                    place={place}
                    onClose={() => setOpen(null)}
                    onDone={(member) => done(`${member.display_name ?? member.user} was added.`)}
                />
            )}
            {open?.kind === "role" && (
                <ChangeRole
                    member={open.member}
                    onClose={() => setOpen(null)}
                    onDone={(member) => done(`${member.display_name ?? member.user} is now ${member.role}.`)}
                />
            )}
            {open?.kind === "remove" && (
                <RemoveMember
                    member={open.member}
                    onClose={() => setOpen(null)}
                    onTokens={(path) => navigate(path)}
                    onDone={() => removed(open.member)}
                />
            )}
        </>
    );
}
