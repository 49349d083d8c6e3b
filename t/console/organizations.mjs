// What an organization's administrator does beside tokens: members, groups, the audit trail.
import assert from "node:assert/strict";
import { test } from "node:test";
import { api, as, choose, done, field, look, open, ready, row, tokenctl, world } from "./harness.mjs";

test("members are added, changed and removed", async () => {
  tokenctl("user", "add", "erik", "--name", "Erik Sand");
  await as("carl", async (page) => {
    await open(page, "/organizations/acme/members");
    await page.getByRole("button", { name: "Add member" }).click();
    const dialog = page.getByRole("dialog");
    await look(page, "add member");
    await dialog.getByRole("button", { name: "Add member" }).click();
    await field(page, "User").fill("nobody");
    await field(page, "Role").selectOption("reader");
    await dialog.getByRole("button", { name: "Add member" }).click();
    await dialog.getByText("There is no such person").waitFor();
    assert.ok(await field(page, "User").evaluate((field) => field === document.activeElement), "the field is at hand");
    await look(page, "add member refused");
    await field(page, "User").fill("ann");
    await page.keyboard.press("Enter");
    await dialog.getByText("Is a member already").waitFor();
    await field(page, "User").fill("erik");
    await page.keyboard.press("Enter");
    await done(page, "Erik Sand was added.");
    await ready(page);
    await row(page, "Erik Sand").getByText("reader").waitFor();

    await choose(page, "Erik Sand", "Change role");
    await field(page, "Role").selectOption("editor");
    await page.keyboard.press("Escape");
    await row(page, "Erik Sand").getByText("reader").waitFor();
    await choose(page, "Erik Sand", "Change role");
    await field(page, "Role").selectOption("editor");
    await look(page, "change role");
    await page.getByRole("button", { name: "Change role" }).click();
    await done(page, "Erik Sand is now editor.");
    await row(page, "Erik Sand").getByText("editor").waitFor();

    // the tokens that they made stay, and are shown before they go
    const made = await api(page, "POST", "/organizations/acme/tokens", { name: "Made by Erik", role: "reader" });
    assert.equal(made.status, 201);
    tokenctl("--actor", "erik", "create", "--org", "acme", "--name", "Erik’s cron job", "--role", "reader");
    await choose(page, "Erik Sand", "Remove");
    await page.getByText("Erik’s cron job").waitFor();
    assert.equal(await page.getByText("Made by Erik").count(), 0, "others’ tokens are not among them");
    await look(page, "remove member");
    await page.getByRole("button", { name: "Remove member" }).click();
    await done(page, "Erik Sand was removed.");
    await ready(page);
    assert.equal(await row(page, "Erik Sand").count(), 0);

    await page.getByLabel("Search by name or user").fill("dor");
    await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
    await row(page, "Dora Petrova").getByText("group research").waitFor();
    await page.getByLabel("Search by name or user").fill("nobody at all");
    await page.getByText("Nobody is found").waitFor();
    await look(page, "members none found");
  });
});

test("two administrators change one member: the second sees it, and loses nothing", async () => {
  tokenctl("user", "add", "finn");
  tokenctl("member", "add", "finn", "acme", "--role", "reader");
  await as("carl", async (page) => {
    await open(page, "/organizations/acme/members");
    await choose(page, "finn", "Change role");
    await field(page, "Role").selectOption("admin");
    tokenctl("member", "add", "finn", "acme", "--role", "editor");
    await page.getByRole("button", { name: "Change role" }).click();
    await page.getByText("Role is now editor").waitFor();
    assert.equal(await field(page, "Role").inputValue(), "admin", "what was chosen stays");
    await look(page, "member conflict");
    await page.getByRole("button", { name: "Discard mine" }).click();
    assert.equal(await field(page, "Role").inputValue(), "editor");
    await page.keyboard.press("Escape");
    await choose(page, "finn", "Change role");
    await field(page, "Role").selectOption("admin");
    tokenctl("member", "add", "finn", "acme", "--role", "reader");
    await page.getByRole("button", { name: "Change role" }).click();
    await page.getByText("Role is now reader").waitFor();
    await page.getByRole("button", { name: "Change role" }).click();
    await done(page, "finn is now admin.");
  });
});

test("a group's administrator sees and fills their group alone", () => as("dora", async (page) => {
  await open(page, "/organizations/acme/groups/research/members");
  await page.getByRole("button", { name: "Add member" }).click();
  const dialog = page.getByRole("dialog");
  await field(page, "Role").locator("option").nth(1).waitFor({ state: "attached" });
  const roles = await field(page, "Role").locator("option").allTextContents();
  assert.ok(roles.includes("editor") && !roles.some((role) => role.startsWith("admin")), `roles that she holds: ${roles}`);
  await field(page, "User").fill("ann");
  await field(page, "Role").selectOption("reader");
  await page.keyboard.press("Enter");
  await done(page, "Ann Lindqvist was added.");
  const links = await page.getByRole("navigation", { name: "Console" }).getByRole("link").allTextContents();
  assert.ok(!links.includes("Members") && !links.includes("Audit trail"), "no pages of the organization");
  assert.equal((await api(page, "GET", "/organizations/acme/members")).status, 403);
  await open(page, "/organizations/acme/groups");
  assert.equal(await row(page, "sales").count(), 0, "nor its other groups");
}));

test("groups are added, and removed with their tokens on purpose only", () => as("carl", async (page) => {
  await open(page, "/organizations/acme/groups");
  await page.getByRole("button", { name: "Add group" }).click();
  await look(page, "add group");
  await field(page, "Name").fill("no blanks please");
  await page.keyboard.press("Enter");
  await page.locator("[aria-invalid=true]").waitFor();
  await field(page, "Name").fill("field-work");
  await page.keyboard.press("Enter");
  await done(page, "The group field-work was added.");
  tokenctl("create", "--group", "acme/field-work", "--name", "Tablet", "--role", "reader");
  await choose(page, "field-work", "Remove");
  await page.getByRole("button", { name: "Remove group" }).click();
  await page.getByText("This is not the same.").waitFor();
  await page.getByLabel("Type field-work to confirm").fill("field-work");
  await page.keyboard.press("Enter");
  await page.getByLabel("Delete its tokens, too").waitFor();
  await look(page, "group not empty");
  await page.getByLabel("Delete its tokens, too").check();
  await page.getByRole("button", { name: "Remove group" }).click();
  await done(page, "The group field-work was removed.");
  await ready(page);
  assert.equal(await row(page, "field-work").count(), 0);
  assert.doesNotMatch(tokenctl("list"), /Tablet/);
}));

test("the audit trail in sentences, narrowed", () => as("carl", async (page) => {
  tokenctl("--actor", "auditor", "member", "add", "finn", "acme", "--role", "editor");
  await open(page, "/organizations/acme/audit");
  const line = row(page, "auditor changed the role of finn");
  await line.getByText("with tokenctl").waitFor();
  assert.match(await line.textContent(), /role: ?\w+ ?→ ?editor/);
  await page.getByLabel("By whom").fill("auditor");
  await page.waitForFunction(() => [...document.querySelectorAll("tbody tr")].every((each) => each.textContent.startsWith("auditor")));
  await page.getByLabel("By whom").fill("");
  // a whole token is cut to its id before it leaves the page
  const asked = page.waitForRequest((request) => request.url().includes("token="));
  await page.getByLabel("Token id").fill(world.tokens.OLD);
  const url = (await asked).url();
  assert.ok(!url.includes(world.tokens.OLD.split(".")[1]), "no secret in a request");
  // created and revoked
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 2);
  await row(page, "carl revoked the token").waitFor();
  await page.getByLabel("When").selectOption("1h");
  await ready(page);
  await row(page, "carl revoked the token").waitFor();
}));

test("a member leaves an organization, whether they see its members or not", async () => {
  tokenctl("org", "add", "hooli", "pied-piper");
  tokenctl("member", "add", "ann", "hooli", "--role", "admin");
  tokenctl("member", "add", "ann", "pied-piper", "--role", "reader");
  await as("ann", async (page) => {
    const gone = async (name) => {
      await page.getByRole("alertdialog").getByRole("button", { name: "Leave", exact: true }).click();
      await page.getByRole("link", { name }).waitFor({ state: "detached" });
      await ready(page);
      assert.equal(await page.getByRole("link", { name }).count(), 0);
    };
    await open(page, "/organizations/hooli/members");
    await choose(page, "Ann Lindqvist", "Leave");
    await look(page, "leave");
    await gone("hooli");
    await open(page, "/account");
    await page.getByRole("button", { name: "Leave pied-piper" }).click();
    await gone("pied-piper");
  });
});
