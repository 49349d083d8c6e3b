// What goes wrong, and what somebody tries: odd addresses and answers, two tabs, sessions that end, clocks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { api, as, done, field, look, open, ready, row, status, tokenctl, traces, world } from "./harness.mjs";

async function logIn(page, user) {
  await page.getByLabel("User name").fill(user);
  await page.getByLabel("Password").fill(world.password);
  await page.keyboard.press("Enter");
}

test("log-in leads to pages of the console alone", () => as(null, async (page) => {
  const next = { "/account": "/account", "/\t/example.org/": "/account/tokens", "//example.org/": "/account/tokens",
    "https://example.org/": "/account/tokens", "http://[": "/account/tokens", "/login?next=/login": "/account/tokens" };
  for (const [wanted, path] of Object.entries(next)) {
    await open(page, `/login?next=${encodeURIComponent(wanted)}`);
    await logIn(page, "ann");
    await page.waitForURL(`${world.origin}${path}`);
  }
}));

test("addresses of nothing, and of what others may do", () => as("carl", async (page) => {
  for (const path of ["/organizations/acme/nothing", "/organizations/%FF/tokens", "/organizations/nobody/tokens", "/organizations/nobody/members",
    "/organizations/nobody/settings", "/organizations/acme/groups/nobody/members", "/admin/users", "/admin/scopes"]) {
    await open(page, path);
    await page.getByText("There is no such page").waitFor();
  }
  assert.equal(await page.getByRole("button", { name: "New scope" }).count(), 0);
}));

test("the search keeps what is typed, and an address with a token is cut", () => as("carl", async (page) => {
  await open(page, "/organizations/acme/tokens");
  const box = page.getByRole("searchbox");
  await box.pressSequentially("Nightly ");
  await page.waitForURL("**?q=Nightly");
  await ready(page);
  await box.pressSequentially("report");
  assert.equal(await box.inputValue(), "Nightly report");
  const name = "integration-test-runner-for-staging-eu-2-and-more";
  await box.fill(name);
  assert.equal(await box.inputValue(), name, "a long name is no secret");
  const sent = [];
  page.on("request", (request) => request.url().includes("/api/") && sent.push(request.url()));
  await open(page, `/organizations/acme/tokens?q=${world.tokens.REPORT}`);
  await row(page, "Nightly report").waitFor();
  const secret = world.tokens.REPORT.split(".")[1];
  assert.ok(!sent.some((each) => each.includes(secret)), "never sent");
  assert.deepEqual(await traces(page, secret), []);
}));

test("two tabs: nothing of who logs out stays, nor of who was there before", () => as("ann", async (page, context) => {
  await open(page, "/account/tokens");
  await page.getByRole("button", { name: "New token" }).click();
  await field(page, "Name").fill("Shared machine");
  await page.getByRole("button", { name: "Create token" }).click();
  const token = await page.getByRole("textbox", { name: "Token" }).textContent();
  const other = await context.newPage();
  await open(other, "/account");
  await other.getByRole("button", { name: "Log out", exact: true }).click();
  await other.waitForURL("**/login");
  await page.waitForURL("**/login");
  assert.deepEqual(await traces(page, token.split(".")[1]), []);
  await logIn(page, "ann");
  await page.getByText("Ann's laptop").waitFor();
  await open(other, "/login");
  await logIn(other, "gwen");
  await page.getByRole("navigation", { name: "Console" }).getByTitle("gwen").waitFor();
  await ready(page);
  assert.equal(await page.getByText("Ann's laptop").count(), 0);
}));

test("answers that are not the API's", () => as("carl", async (page) => {
  let odd = { status: 200, contentType: "text/html", body: "<title>Sign in to this network</title>" };
  const keys = [];
  await page.route("**/api/v1/organizations/acme/{tokens,grants}*", (route) => {
    const key = route.request().headers()["idempotency-key"];
    if (key) keys.push(key);
    return odd ? route.fulfill(odd) : route.continue();
  });
  await page.goto("/organizations/acme/tokens");
  await page.getByText("The answer is not the server's.").waitFor();
  odd = { status: 503, body: "" };
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("The server answered with an error (503).").waitFor();
  odd = null;
  await page.getByRole("button", { name: "Try again" }).click();
  await row(page, "Nightly report").waitFor();
  await page.getByRole("button", { name: "Create access token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Try again" }).click();
  await field(page, "Name").fill("Behind a portal");
  await field(page, "Role").selectOption("reader");
  odd = { status: 200, contentType: "text/html", body: "<title>Sign in to this network</title>" };
  await page.getByRole("button", { name: "Create token" }).click();
  await dialog.getByText("The answer is not the server's.").waitFor();
  odd = null;
  await page.getByRole("button", { name: "Create token" }).dblclick();
  await page.getByRole("textbox", { name: "Token" }).waitFor();
  assert.deepEqual([keys.length, new Set(keys).size], [3, 1], "one creation");
}));

test("rotating without knowing what may be granted shows the token, and what became of the old one", () => as("carl", async (page) => {
  await page.route("**/grants", (route) => route.fulfill({ status: 503, body: "" }));
  await open(page, "/organizations/acme/tokens");
  await row(page, "Office scanner").getByText("in 5 days").waitFor();
  await status(page, "Office scanner", "Rotate…");
  await page.getByRole("radio", { name: "1 hour" }).check();
  await page.getByRole("button", { name: "Rotate token" }).click();
  await page.getByRole("textbox", { name: "Token" }).waitFor();
  await page.getByRole("button", { name: "Copy token" }).click();
  await page.getByRole("button", { name: "Done" }).click();
  await row(page, "Office scanner").getByText(/in (1 hour|\d+ minutes)/).waitFor();
}));

test("the clipboard is refused: the token is selected", () => as("ann", async (page) => {
  await page.addInitScript(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await open(page, "/account/tokens");
  await page.getByRole("button", { name: "New token" }).click();
  await field(page, "Name").fill("By hand");
  await page.getByRole("button", { name: "Create token" }).click();
  const token = await page.getByRole("textbox", { name: "Token" }).textContent();
  await page.getByRole("button", { name: "Copy token" }).click();
  await page.getByText("The text is selected").waitFor();
  assert.equal(await page.evaluate(() => String(getSelection())), token);
  await look(page, "clipboard refused");
  await page.keyboard.press("Control+C");
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
}));

test("days that a policy lets through, where one has 25 hours", async () => {
  tokenctl("org", "add", "brief");
  tokenctl("org", "set", "brief", "--max-life", "40h", "--default-life", "1h");
  tokenctl("member", "add", "carl", "brief", "--role", "admin");
  const dialog = async (page, at) => {
    await page.clock.setFixedTime(at);
    await open(page, "/organizations/brief/tokens");
    await page.getByRole("button", { name: "Create access token" }).first().click();
    await field(page, "Name").waitFor();
  };
  await as("carl", async (page) => {
    await dialog(page, "2026-10-31T12:30:00Z");
    assert.deepEqual(await page.getByRole("radio").evaluateAll((all) => all.map((each) => each.parentElement.textContent)),
      ["1 hour", "Until a day…"]);
    await page.getByRole("radio", { name: "Until a day…" }).check();
    assert.equal(await page.getByLabel("Last day").getAttribute("max"), "2026-10-31");
    tokenctl("org", "set", "brief", "--max-life", "2h");
    await dialog(page, "2026-10-31T12:30:00Z");
    assert.equal(await page.getByRole("radio", { name: "Until a day…" }).count(), 0, "today's end is too late");
    await look(page, "hours alone");
  }, { timezoneId: "America/New_York" });
  await as("carl", async (page) => {
    await dialog(page, "2026-10-31T09:30:00Z");
    await page.getByRole("radio", { name: "Until a day…" }).check();
    assert.equal(await page.getByLabel("Last day").getAttribute("max"), "2026-10-31", "already over there");
  }, { timezoneId: "Pacific/Kiritimati" });
});

test("no permission to choose from: the field says so", async () => {
  tokenctl("role", "set", "keeper", "auth:tokens:write");
  tokenctl("org", "add", "locked");
  tokenctl("member", "add", "dora", "locked", "--role", "keeper");
  await as("dora", async (page) => {
    await open(page, "/organizations/locked/tokens");
    await page.getByRole("button", { name: "Create access token" }).first().click();
    await field(page, "Name").fill("Nothing");
    await page.getByRole("button", { name: "Create token" }).click();
    await page.getByRole("dialog").getByText("Choose at least one permission.").waitFor();
    await look(page, "no permissions");
  });
});

test("a name with two blanks can be typed to delete its token", () => as("ann", async (page) => {
  await open(page, "/account");
  const made = await api(page, "POST", "/me/tokens", { name: "Two  blanks" });
  assert.equal(made.status, 201);
  await open(page, "/account/tokens");
  await status(page, made.body.id, "Delete…");
  await page.getByLabel(/^Type Two\s+blanks/).fill("Two blanks");
  await page.keyboard.press("Enter");
  await done(page, "is deleted.");
}));

test("the session ends in each dialog", () => as("carl", async (page, context) => {
  async function again(submit, said) {
    await context.clearCookies();
    await submit();
    const asks = page.getByRole("dialog", { name: "Your session has ended" });
    await asks.getByLabel("Password").fill(world.password);
    await page.keyboard.press("Enter");
    await done(page, said);
  }
  const press = (name) => () => page.getByRole("button", { name, exact: true }).last().click();
  await open(page, "/account");
  const { body: made } = await api(page, "POST", "/organizations/acme/tokens", { name: "Ended", role: "reader" });
  await open(page, "/organizations/acme/tokens");
  await page.getByRole("button", { name: "Ended", exact: true }).click();
  await field(page, "Description (optional)").fill("typed");
  await again(press("Save changes"), "is saved");
  await again(async () => status(page, "Ended", "Revoke"), "is revoked");
  await status(page, "Ended", "Delete…");
  await page.getByLabel("Type Ended to confirm").fill("Ended");
  await again(press("Delete token"), "is deleted");
  assert.equal((await api(page, "GET", `/tokens/${made.id}`)).status, 404);
  await open(page, "/organizations/acme/groups");
  await page.getByRole("button", { name: "Add group" }).click();
  await field(page, "Name").fill("ended");
  await again(press("Add group"), "was added");
  await open(page, "/account");
  await page.getByLabel("Name (optional)").fill("Carl J.");
  await again(press("Save name"), "was saved");
}));

test("chosen and current are seen where colours are forced", () => as("carl", async (page) => {
  await page.emulateMedia({ forcedColors: "active" });
  await open(page, "/organizations/acme/tokens");
  const background = (place) => place.evaluate((element) => getComputedStyle(element).backgroundColor);
  const links = page.getByRole("navigation", { name: "Console" }).getByRole("link");
  assert.notEqual(await background(links.filter({ hasText: /^Tokens$/ })), await background(links.filter({ hasText: /^Groups$/ })));
  await page.getByRole("button", { name: "Create access token" }).click();
  const words = (name) => page.locator("dialog .compact span").filter({ hasText: name }).first();
  assert.notEqual(await background(words("90 days")), await background(words("30 days")));
}));
