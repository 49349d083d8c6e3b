import { useState } from "preact/hooks";
import type { Member } from "../api/schema";
import { Badge } from "../components/Badge";
import { Button } from "../components/Button";
import { placeName } from "../rights";
import { useSession } from "../session";
import { placeOf } from "./MemberDialogs";
import { RemoveMember } from "./RemoveMember";

// Where the person belongs to; everybody may leave, also who sees no list of members.
export function Memberships() {
    const { me } = useSession();
    const [leaving, setLeaving] = useState<Member | null>(null);
    const person = { user: me.user, display_name: me.display_name, created: null };
    const memberships: Member[] = me.organizations.flatMap(({ id, role, groups }) => [
        ...(role === null ? [] : [{ ...person, organization: id, group: null, role }]),
        ...groups.flatMap((group) =>
            group.role === null ? [] : [{ ...person, organization: id, group: group.id, role: group.role }],
        ),
    ]);
    if (memberships.length === 0) {
        return null;
    }
    return (
        <section class="card" aria-labelledby="memberships">
            <h2 id="memberships">Memberships</h2>
            <ul class="memberships">
                {memberships.map((each) => {
                    const name = placeName(me, placeOf(each));
                    return (
                        <li key={`${each.organization}/${each.group ?? ""}`}>
                            <span class="break">
                                {name} <Badge>{each.role}</Badge>
                            </span>
                            <Button onClick={() => setLeaving(each)} aria-label={`Leave ${name}`}>
                                Leave
                            </Button>
                        </li>
                    );
                })}
            </ul>
            {leaving && (
                <RemoveMember
                    member={leaving}
                    onClose={() => setLeaving(null)}
                    onTokens={(path) => window.location.assign(path)}
                    onDone={() => window.location.reload()}
                />
            )}
        </section>
    );
}
