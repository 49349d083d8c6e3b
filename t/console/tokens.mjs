// What every page of tokens does: a token shown once, the status column, filters, conflicts, lost answers and sessions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { api, as, copied, create, done, field, gateway, look, open, pick, ready, row, runs, status, tokenctl, traces, within, world } from "./harness.mjs";

test("a token is shown once, copied, and nowhere afterwards", () => as("ann", async (page) => {
  await open(page, "/account/tokens");
  await page.getByRole("button", { name: "New token" }).click();
  await look(page, "create personal token");
  await page.getByRole("button", { name: "Create token" }).click();
  await page.locator("[aria-invalid=true]").first().waitFor();
  assert.ok(await field(page, "Name").evaluate((each) => each === document.activeElement), "the first wrong field is at hand");
  await look(page, "create personal token refused");
  await field(page, "Name").fill("From the browser");
  await page.getByRole("button", { name: "Create token" }).click();
  const token = await page.getByRole("textbox", { name: "Token" }).textContent();
  assert.match(token, /^pat_\w+\.\w+$/);
  await look(page, "shown once");

  // leaving asks, whichever way
  await page.keyboard.press("Escape");
  await page.getByText("Leave without the token?").waitFor();
  await look(page, "leave without the token");
  await page.getByRole("button", { name: "Stay" }).click();
  await page.goBack();
  await page.getByText("Leave without the token?").waitFor();
  await page.getByRole("button", { name: "Stay" }).click();

  await page.getByRole("button", { name: "Copy command" }).click();
  const line = await copied(page);
  assert.ok(line.includes("X-Org-Id: acme"), "with the organization's field");
  await within(1000, 200, () => runs(line));
  await page.getByRole("button", { name: "Copy token" }).click();
  assert.equal(await copied(page), token);
  await page.getByRole("button", { name: "Done" }).click();
  await row(page, "From the browser").waitFor();
  const secret = token.split(".")[1];
  assert.deepEqual(await traces(page, secret), [], "no trace");
  await page.goBack().catch(() => null);
  await page.goForward().catch(() => null);
  assert.deepEqual(await traces(page, secret), [], "nor by the back button");
  await page.reload();
  await ready(page);
  assert.deepEqual(await traces(page, secret), [], "nor by loading it anew");
}));

test("the session ends while a dialog is open: nothing typed is lost", () => as("carl", async (page, context) => {
  await open(page, "/organizations/acme/tokens");
  await page.getByRole("button", { name: "Create access token" }).click();
  await field(page, "Name").fill("Typed before");
  await field(page, "Description (optional)").fill("with much care");
  await field(page, "Role").selectOption("editor");
  await context.clearCookies();
  await page.getByRole("button", { name: "Create token" }).click();
  const again = page.getByRole("dialog", { name: "Your session has ended" });
  await again.getByLabel("Password").waitFor();
  await look(page, "log in again");
  await again.getByLabel("Password").fill("wrong, at first");
  await page.keyboard.press("Enter");
  await again.getByRole("alert").waitFor();
  await again.getByLabel("Password").fill(world.password);
  await page.keyboard.press("Enter");
  await page.getByRole("textbox", { name: "Token" }).waitFor();
  await page.getByRole("button", { name: "Copy token" }).click();
  await page.getByRole("button", { name: "Done" }).click();
  const shown = tokenctl("list", "--json");
  assert.match(shown, /Typed before/);
}));

test("two administrators change one token: the second sees what the first did", () => as("carl", async (page) => {
  await open(page, "/account");
  const { body: made } = await api(page, "POST", "/organizations/acme/tokens", { name: "Contested", role: "reader" });
  await open(page, "/organizations/acme/tokens");
  await page.getByRole("button", { name: "Contested", exact: true }).click();
  await field(page, "Description (optional)").fill("mine");
  await look(page, "edit token");
  const theirs = await api(page, "PATCH", `/tokens/${made.id}`, { name: "Renamed" });
  assert.equal(theirs.status, 200);
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Name is now Renamed").waitFor();
  await look(page, "token conflict");
  assert.equal(await field(page, "Description (optional)").inputValue(), "mine");
  await page.getByRole("button", { name: "Save changes" }).click();
  await done(page, "is saved");
  const now = await api(page, "GET", `/tokens/${made.id}`);
  assert.deepEqual([now.body.name, now.body.description], ["Renamed", "mine"], "both changes are there");
}));

test("the answer with the token is lost: the list says so", () => as("carl", async (page) => {
  await open(page, "/organizations/acme/tokens");
  let tries = 0;
  await page.route("**/api/v1/organizations/acme/tokens", async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    if (++tries > 1) return route.continue();
    await route.fetch();
    return route.abort("connectionreset");
  });
  await page.getByRole("button", { name: "Create access token" }).click();
  await field(page, "Name").fill("Lost");
  await field(page, "Role").selectOption("reader");
  await page.getByRole("button", { name: "Create token" }).click();
  await page.getByText("The answer with this token was lost").waitFor();
  assert.equal(tries, 2, "asked again with the same key");
  assert.equal(await row(page, "Lost").count(), 1, "and made once");
  await look(page, "lost answer");
}));

test("the status column: rotate with a grace time, delete by its name", () => as("carl", async (page) => {
  await open(page, "/organizations/acme/tokens");
  const token = await create(page, "Create access token", "Turning", async () => field(page, "Role").selectOption("editor"));
  await within(1000, 200, async () => (await gateway(token)).status);
  await status(page, "Turning", "Rotate…");
  await look(page, "rotate");
  await pick(page, "Not at all");
  await page.getByRole("button", { name: "Rotate token" }).click();
  const successor = await page.getByRole("textbox", { name: "Token" }).textContent();
  await page.getByRole("button", { name: "Copy token" }).click();
  await page.getByRole("button", { name: "Done" }).click();
  await within(1000, 200, async () => (await gateway(successor)).status);
  await within(1000, 401, async () => (await gateway(token)).status);
  await open(page, "/organizations/acme/tokens?status=active");
  await status(page, "Turning", "Delete…");
  await page.getByRole("button", { name: "Delete token" }).click();
  await page.getByText("This is not the same.").waitFor();
  await look(page, "delete token");
  await page.getByLabel("Type Turning to confirm").fill("Turning");
  await page.keyboard.press("Enter");
  await done(page, "“Turning” is deleted.");
  await within(1000, 401, async () => (await gateway(successor)).status);
}));

test("filters, search and order; a whole token is cut before it is sent", () => as("carl", async (page) => {
  await open(page, "/organizations/acme/tokens");
  const names = async () => (await page.getByRole("rowheader").allTextContents()).map((text) => text.trim());
  for (const [label, shown] of [["Revoked", "Old pipeline"], ["Expired", "Trial import"], ["Pending", "Next quarter"]]) {
    await page.getByLabel("Status").selectOption({ label });
    await row(page, shown).waitFor();
    await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
    assert.ok((await page.locator("td.status").allTextContents()).every((text) => text.includes(label)), label);
  }
  await page.getByLabel("Status").selectOption("");
  await page.getByLabel("Use").selectOption("expiring=7d");
  await row(page, "Office scanner").waitFor();
  await row(page, "Deploy script").waitFor({ state: "detached" });
  await page.getByLabel("Use").selectOption("");
  await page.getByLabel("Order").selectOption("name");
  await page.waitForFunction(() => document.querySelector("tbody th")?.textContent.startsWith("Contested")
    || document.querySelector("tbody th")?.textContent.startsWith("Deploy"));
  const sorted = await names();
  assert.deepEqual(sorted, [...sorted].sort(), "by name");
  await page.getByLabel("With groups").check();
  await row(page, "CRM export").waitFor();
  const sent = [];
  page.on("request", (request) => sent.push(request.url() + (request.postData() ?? "")));
  await page.getByRole("searchbox").fill(world.tokens.REPORT);
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await row(page, "Nightly report").waitFor();
  const secret = world.tokens.REPORT.split(".")[1];
  assert.ok(sent.some((each) => each.includes("q=")) && !sent.some((each) => each.includes(secret)), "never sent");
  assert.deepEqual(await traces(page, secret), [], "nor kept in the field");
  await page.getByRole("searchbox").fill("no such token");
  await page.getByText("No token fits").waitFor();
  await look(page, "no token fits");
}));

test("long names, every status, last uses from real requests", () => as("carl", async (page) => {
  const name = `${"Very long ".repeat(20)}${"unbroken".repeat(6)}`.slice(0, 255);
  await open(page, "/account");
  await api(page, "POST", "/organizations/acme/tokens", { name, scopes: ["agents:read", "agents:write", "projects:read", "projects:write"] });
  await gateway(world.tokens.ACME);
  const used = async () => (await api(page, "GET", "/organizations/acme/tokens?q=Deploy")).body.items[0].last_used !== null;
  await within(5000, true, used);
  await open(page, "/organizations/acme/tokens");
  await row(page, "Deploy script").getByText("just now").first().waitFor();
  await look(page, "tokens with long names");
  await page.getByRole("button", { name, exact: true }).click();
  await page.getByRole("dialog").getByText("agents:write").first().waitFor();
  await look(page, "token with a long name");
}));

test("many tokens, by pages", () => as("carl", async (page) => {
  tokenctl("org", "add", "many");
  tokenctl("member", "add", "carl", "many", "--role", "admin");
  await open(page, "/account");
  for (let i = 0; i < 60; i++) await api(page, "POST", "/organizations/many/tokens", { name: `Token ${i}`, role: "reader" });
  await open(page, "/organizations/many/tokens");
  const names = async () => new Set(await page.getByRole("rowheader").allTextContents());
  const rows = (count) => page.waitForFunction((wanted) => document.querySelectorAll("tbody tr").length === wanted
    && !document.querySelector("[aria-busy=true]"), count);
  await rows(50);
  const first = await names();
  await page.getByRole("button", { name: "Next" }).click();
  await rows(10);
  for (const name of await names()) assert.ok(!first.has(name), `${name} is on one page`);
  await page.getByRole("button", { name: "Previous" }).click();
  await rows(50);
  await look(page, "pages of tokens");
}));

test("by keyboard alone: create, copy, revoke, restore, delete", () => as("ann", async (page) => {
  await open(page, "/account/tokens");
  const keys = async (...all) => { for (const key of all) await page.keyboard.press(key); };
  // Tab, until what has the focus is called so
  async function to(name, most = 60) {
    for (let i = 0; i < most; i++) {
      const now = await page.evaluate(() => {
        const element = document.activeElement;
        return element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent;
      });
      if (now.trim().startsWith(name)) return;
      await keys("Tab");
    }
    assert.fail(`no way to ${name}`);
  }
  await keys("Tab");
  await to("Skip to the page");
  await keys("Enter");
  await to("New token");
  await keys("Enter");
  await field(page, "Name").waitFor();
  await to("Name");
  await page.keyboard.type("By keyboard");
  await keys("Enter");
  await page.getByRole("textbox", { name: "Token" }).waitFor();
  const token = await page.getByRole("textbox", { name: "Token" }).textContent();
  await to("Copy token");
  await keys("Enter");
  assert.equal(await copied(page), token);
  await to("Done");
  await keys("Enter");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await to("New token", 1);
  const asks = () => gateway(token, "-H", "X-Org-Id: acme");
  await within(1000, 200, async () => (await asks()).status);
  await to("Active: change By keyboard");
  await keys("Enter", "Enter");
  await done(page, "“By keyboard” is revoked.");
  await within(1000, 401, async () => (await asks()).status);
  await to("Revoked: change By keyboard", 1);
  await keys("ArrowDown", "Enter");
  await done(page, "“By keyboard” is restored.");
  await to("Active: change By keyboard", 1);
  await keys("ArrowUp", "Enter");
  await page.getByLabel("Type By keyboard to confirm").waitFor();
  await to("Type By keyboard");
  await page.keyboard.type("By keyboard");
  await keys("Enter");
  await done(page, "“By keyboard” is deleted.");
  await within(1000, 401, async () => (await asks()).status);
}));
