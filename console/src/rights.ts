// What the person may do where, as /me tells it.
import type { Me } from "./api/schema";

export type MyOrganization = Me["organizations"][number];

export interface Place {
    organization: string;
    group: string | null;
}

export function may(me: Me, place: Place, scope: string): boolean {
    if (me.system) {
        return true;
    }
    const organization = organizationOf(me, place.organization);
    const group = organization?.groups.find((each) => each.id === place.group);
    return [...(organization?.may ?? []), ...(group?.may ?? [])].includes(scope);
}

export function organizationOf(me: Me, id: string): MyOrganization | undefined {
    return me.organizations.find((each) => each.id === id);
}

// As people know the place: the organization's name, and the group.
export function placeName(me: Me, place: Place): string {
    const name = organizationOf(me, place.organization)?.display_name ?? place.organization;
    return place.group === null ? name : `${name} / ${place.group}`;
}

export function pathOf(place: Place, page: string): string {
    const group = place.group === null ? "" : `/groups/${encodeURIComponent(place.group)}`;
    return `/organizations/${encodeURIComponent(place.organization)}${group}/${page}`;
}
