import { useState } from "preact/hooks";
import { call, type Answer } from "../api/client";
import { ApiProblem, asTaken } from "../api/problem";
import type { Grants, Member } from "../api/schema";
import { useEdit } from "../api/useEdit";
import { useLoad } from "../api/useLoad";
import { Button } from "../components/Button";
import { ConflictNote } from "../components/ConflictNote";
import { Dialog } from "../components/Dialog";
import { Field, type Control } from "../components/Field";
import { ProblemNote } from "../components/ProblemNote";
import { useSubmit } from "../components/useSubmit";
import { placeName, type Place } from "../rights";
import { useSession } from "../session";

interface Props {
    onClose: () => void;
    onDone: (member: Member) => void;
}

export function AddMember({ place, onClose, onDone }: Props & { place: Place }) {
    const { me } = useSession();
    const [user, setUser] = useState("");
    const [role, setRole] = useState("");
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        const added = await putMember(place, user.trim(), role, { ifNew: true }).catch((refused: unknown) => {
            if (refused instanceof ApiProblem && refused.code === "not_found") {
                throw new ApiProblem(404, { detail: "Nobody was added.", errors: [{ field: "user", detail: "there is no such person" }] }, null);
            }
            throw asTaken(refused, "user", "is a member already");
        });
        onDone(added.value);
    });
    return (
        <Dialog title={`Add a member to ${placeName(me, place)}`} onClose={onClose}>
            <form ref={form} onSubmit={onSubmit} noValidate>
                <div class="dialog-body">
                    <ProblemNote problem={problem} fields={["user", "role"]} />
                    <Field
                        label="User"
                        hint="The user name, as the person logs in with it."
                        error={error("user")}
                    >
                        {(control) => (
                            <input
                                {...control}
                                value={user}
                                autocomplete="off"
                                autocapitalize="none"
                                spellcheck={false}
                                onInput={(event) => setUser(event.currentTarget.value)}
                            />
                        )}
                    </Field>
                    <RoleField place={place} value={role} onChange={setRole} error={error("role")} />
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Cancel</Button>
                    <Button kind="primary" type="submit" busy={busy}>
                        Add member
                    </Button>
                </footer>
            </form>
        </Dialog>
    );
}

export function ChangeRole({ member, onClose, onDone }: Props & { member: Member }) {
    const place = placeOf(member);
    const [role, setRole] = useState(member.role);
    const edit = useEdit(() => getMember(place, member.user));
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        onDone((await edit.save((ifMatch) => putMember(place, member.user, role, { ifMatch }))).value);
    });
    return (
        <Dialog title={`Change the role of ${member.display_name ?? member.user}`} onClose={onClose}>
            <form ref={form} onSubmit={onSubmit} noValidate>
                <div class="dialog-body">
                    <ConflictNote
                        conflict={edit.conflict}
                        fields={{ Role: (each) => each.role }}
                        onTake={(now) => setRole(now.role)}
                    />
                    <ProblemNote problem={edit.conflict ? null : (edit.problem ?? problem)} fields={["role"]} />
                    <RoleField place={place} value={role} onChange={setRole} error={error("role")} />
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>Cancel</Button>
                    <Button kind="primary" type="submit" busy={busy || !edit.base}>
                        Change role
                    </Button>
                </footer>
            </form>
        </Dialog>
    );
}

interface RoleFieldProps {
    place: Place;
    value: string;
    onChange: (role: string) => void;
    error: string | undefined;
}

// The roles that the person may give. Who does not see tokens is not told them, and types one.
function RoleField({ place, value, onChange, error }: RoleFieldProps) {
    const grants = useLoad("grants", (signal) => getGrants(place, signal));
    const roles = grants.value?.roles;
    const chosen = roles?.find((role) => role.id === value);
    return (
        <Field label="Role" hint={chosen?.description || undefined} error={error}>
            {(control) =>
                grants.problem ? (
                    <input {...control} value={value} onInput={(event) => onChange(event.currentTarget.value)} />
                ) : (
                    <RoleSelect control={control} roles={roles ?? []} value={value} onChange={onChange} />
                )
            }
        </Field>
    );
}

interface RoleSelectProps {
    control: Control;
    roles: Grants["roles"];
    value: string;
    onChange: (role: string) => void;
}

function RoleSelect({ control, roles, value, onChange }: RoleSelectProps) {
    const others = value !== "" && !roles.some((role) => role.id === value);
    return (
        <select {...control} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
            {value === "" && <option value="">Choose a role</option>}
            {others && <option value={value}>{value}</option>}
            {roles.map((role) => (
                <option key={role.id} value={role.id}>
                    {role.administrative ? `${role.id} (administrative)` : role.id}
                </option>
            ))}
        </select>
    );
}

export function placeOf(member: Member): Place {
    return { organization: member.organization, group: member.group };
}

async function getGrants({ organization, group }: Place, signal: AbortSignal): Promise<Grants> {
    const answer =
        group === null
            ? await call("get", "/api/v1/organizations/{org}/grants", { path: { org: organization }, signal })
            : await call("get", "/api/v1/organizations/{org}/groups/{group}/grants", {
                  path: { org: organization, group },
                  signal,
              });
    return answer.value;
}

export function getMember({ organization, group }: Place, user: string): Promise<Answer<Member>> {
    return group === null
        ? call("get", "/api/v1/organizations/{org}/members/{user}", { path: { org: organization, user } })
        : call("get", "/api/v1/organizations/{org}/groups/{group}/members/{user}", {
              path: { org: organization, group, user },
          });
}

interface Condition {
    ifMatch?: string;
    ifNew?: boolean;
}

function putMember({ organization, group }: Place, user: string, role: string, condition: Condition): Promise<Answer<Member>> {
    const options = { body: { role }, ...condition };
    return group === null
        ? call("put", "/api/v1/organizations/{org}/members/{user}", { path: { org: organization, user }, ...options })
        : call("put", "/api/v1/organizations/{org}/groups/{group}/members/{user}", {
              path: { org: organization, group, user },
              ...options,
          });
}
