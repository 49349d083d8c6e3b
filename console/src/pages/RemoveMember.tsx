import { call } from "../api/client";
import type { Member, TokenList } from "../api/schema";
import { useLoad } from "../api/useLoad";
import { Confirm } from "../components/Confirm";
import { may, pathOf, placeName } from "../rights";
import { useSession } from "../session";
import { placeOf } from "./MemberDialogs";

interface Props {
    member: Member;
    onClose: () => void;
    // To the list of the tokens that they made.
    onTokens: (path: string) => void;
    onDone: () => void;
}

const shown = 10;

// Asks before a membership ends, and says which tokens the person leaves behind.
export function RemoveMember({ member, onClose, onTokens, onDone }: Props) {
    const { me } = useSession();
    const place = placeOf(member);
    const self = member.user === me.user;
    const name = self ? "You" : (member.display_name ?? member.user);
    const sees = may(me, place, "auth:tokens:read");
    const made = useLoad("made", (signal) => (sees ? tokensBy(member, signal) : Promise.resolve(null)));
    const tokens = made.value?.items ?? [];
    const list = `${pathOf(place, "tokens")}?created_by=${encodeURIComponent(member.user)}`;
    return (
        <Confirm
            title={self ? `Leave ${placeName(me, place)}?` : `Remove ${name} from ${placeName(me, place)}?`}
            action={self ? "Leave" : "Remove member"}
            onClose={onClose}
            onConfirm={async () => {
                await remove(member);
                onDone();
            }}
        >
            <p>
                {self ? "You lose" : `${name} loses`} the role <strong>{member.role}</strong>
                {member.group === null && ", and all memberships in groups of the organization"}.
            </p>
            {tokens.length > 0 && (
                <div class="note warn">
                    <div>
                        <p>Tokens that {self ? "you" : "they"} made stay as they are:</p>
                        <ul class="bullets">
                            {tokens.map((token) => (
                                <li key={token.id} class="break">
                                    {token.name} <span class="mono">{token.id}</span> · {token.status}
                                </li>
                            ))}
                            {made.value?.next_cursor && <li>and more</li>}
                        </ul>
                        <a
                            href={list}
                            onClick={(event) => {
                                event.preventDefault();
                                onTokens(list);
                            }}
                        >
                            Look through these tokens
                        </a>
                    </div>
                </div>
            )}
        </Confirm>
    );
}

async function tokensBy(member: Member, signal: AbortSignal): Promise<TokenList> {
    const query = { created_by: member.user, limit: shown };
    const answer =
        member.group === null
            ? await call("get", "/api/v1/organizations/{org}/tokens", {
                  path: { org: member.organization },
                  query: { ...query, include: "groups" },
                  signal,
              })
            : await call("get", "/api/v1/organizations/{org}/groups/{group}/tokens", {
                  path: { org: member.organization, group: member.group },
                  query,
                  signal,
              });
    return answer.value;
}

async function remove({ organization, group, user }: Member): Promise<void> {
    await (group === null
        ? call("delete", "/api/v1/organizations/{org}/members/{user}", { path: { org: organization, user } })
        : call("delete", "/api/v1/organizations/{org}/groups/{group}/members/{user}", {
              path: { org: organization, group, user },
          }));
}
