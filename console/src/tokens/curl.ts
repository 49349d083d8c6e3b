// A line for a shell that tries a token.
import type { Grants, Me, NewToken } from "../api/schema";

// Without an address of the operator's, the API itself: every token may ask who it is.
export function curlLine(token: NewToken, example: Grants["example"], me: Me): string {
    const url = example.url ?? `${window.location.origin}/api/v1/me`;
    const fields = [`Authorization: Bearer ${token.token}`];
    if (token.kind === "user") {
        const organization = me.organizations.find((each) => each.role !== null && !each.suspended);
        fields.push(`${example.organization_field}: ${organization?.id ?? "ORGANIZATION"}`);
    }
    return ["curl", ...fields.map((field) => `-H '${field}'`), `'${url}'`].join(" ");
}
