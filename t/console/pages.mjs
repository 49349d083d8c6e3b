// Each page, as who may see it: what is on it, and what axe says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { as, look, open } from "./harness.mjs";

const pages = [
  { user: "ann", path: "/account", title: "Account" },
  { user: "ann", path: "/account/tokens", title: "Your tokens", shows: "Notebook" },
  { user: "carl", path: "/organizations/acme/tokens", title: "Tokens", shows: "Deploy script" },
  { user: "dora", path: "/organizations/acme/groups/research/tokens", title: "Tokens", shows: "Lab robot" },
  { user: "sam", path: "/organizations/initech/tokens", title: "Tokens", shows: "Printer" },
  { user: "carl", path: "/organizations/acme/members", title: "Members", shows: "Ann Lindqvist" },
  { user: "dora", path: "/organizations/acme/groups/research/members", title: "Members", shows: "Dora Petrova" },
  { user: "carl", path: "/organizations/acme/groups", title: "Groups", shows: "research" },
  { user: "carl", path: "/organizations/acme/audit", title: "Audit trail", shows: "revoked the token" },
  { user: "carl", path: "/organizations/acme/settings", title: "Settings", shows: "364 days" },
  { user: "sam", path: "/organizations/initech/settings", title: "Settings", shows: "Resume organization" },
  { user: "sam", path: "/admin/organizations", title: "Organizations", shows: "Globex Registry" },
  { user: "sam", path: "/admin/users", title: "People", shows: "gwen@example.org" },
  { user: "sam", path: "/admin/roles", title: "Roles", shows: "Manages a group" },
  { user: "sam", path: "/admin/scopes", title: "Scopes", shows: "Retire credits" },
  { user: "sam", path: "/admin/audit", title: "Audit trail", shows: "created the token" },
  { user: "ann", path: "/organizations/acme/nothing", title: "Page not found" },
];

for (const { user, path, title, shows } of pages) {
  test(`${path} of ${user}`, () => as(user, async (page) => {
    await open(page, path);
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), title);
    assert.match(await page.title(), new RegExp(`^${title}`));
    if (shows) await page.getByText(shows).first().waitFor();
    await look(page, `${path} ${user}`);
  }));
}
