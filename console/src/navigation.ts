// The entries of the navigation, from what the person may do.
import type { Me } from "./api/schema";
import type { IconName } from "./components/Icon";
import { may, organizationOf, pathOf, type MyOrganization, type Place } from "./rights";

export interface Entry {
    label: string;
    path: string;
    icon: IconName;
}

export interface Section {
    title: string;
    entries: Entry[];
}

export interface OrganizationEntry {
    id: string;
    name: string;
    suspended: boolean;
    // Where its name leads to.
    path: string;
    entries: Entry[];
}

export const accountSection: Section = {
    title: "You",
    entries: [
        { label: "Your tokens", path: "/account/tokens", icon: "key" },
        { label: "Account", path: "/account", icon: "person" },
    ],
};

// The organizations that the person belongs to, and the one that is open, which the system reaches
// without belonging to it.
export function organizationEntries(me: Me, open: string | null): OrganizationEntry[] {
    const entries = me.organizations.map((each) => organizationEntry(me, each));
    if (open !== null && me.system && !organizationOf(me, open)) {
        entries.push(
            organizationEntry(me, {
                id: open,
                display_name: null,
                suspended: false,
                role: null,
                may: [],
                groups: [],
            }),
        );
    }
    return entries;
}

function organizationEntry(me: Me, organization: MyOrganization): OrganizationEntry {
    const entries = [
        ...pagesOf(me, { organization: organization.id, group: null }),
        ...organization.groups.flatMap((group) =>
            pagesOf(me, { organization: organization.id, group: group.id }),
        ),
    ];
    return {
        id: organization.id,
        name: organization.display_name ?? organization.id,
        suspended: organization.suspended,
        path: entries[0]?.path ?? "/account/tokens",
        entries,
    };
}

function pagesOf(me: Me, place: Place): Entry[] {
    const entries: Entry[] = [];
    const of = place.group === null ? "" : ` · ${place.group}`;
    if (may(me, place, "auth:tokens:read")) {
        entries.push({ label: `Tokens${of}`, path: pathOf(place, "tokens"), icon: "key" });
    }
    if (may(me, place, "auth:members:read")) {
        entries.push({ label: `Members${of}`, path: pathOf(place, "members"), icon: "person" });
    }
    if (place.group !== null) {
        return entries;
    }
    entries.push({ label: "Groups", path: pathOf(place, "groups"), icon: "groups" });
    if (may(me, place, "auth:audit:read")) {
        entries.push({ label: "Audit trail", path: pathOf(place, "audit"), icon: "list" });
    }
    entries.push({ label: "Settings", path: pathOf(place, "settings"), icon: "settings" });
    return entries;
}

export const systemSection: Section = {
    title: "System",
    entries: [
        { label: "Organizations", path: "/admin/organizations", icon: "organization" },
        { label: "People", path: "/admin/users", icon: "person" },
        { label: "Roles", path: "/admin/roles", icon: "groups" },
        { label: "Scopes", path: "/admin/scopes", icon: "key" },
        { label: "Audit trail", path: "/admin/audit", icon: "list" },
    ],
};
