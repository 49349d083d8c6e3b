// What four platforms tell their users about tokens, done in the console and seen at the gateway.
import assert from "node:assert/strict";
import { test } from "node:test";
import { as, copied, create, curl, done, field, gateway, look, open, pick, row, runs, status, traces, within, world } from "./harness.mjs";

const answers = (token, code, ...args) => within(1000, code, async () => (await gateway(token, ...args)).status);

test("carbon registry: an organization's token with permissions, for a hundred years", () => as("gwen", async (page) => {
  await open(page, "/organizations/globex/tokens");
  await look(page, "organization tokens");
  const token = await create(page, "Create access token", "Retire on sale", async () => {
    await field(page, "Description (optional)").fill("Retires credits");
    await pick(page, "Until a day…");
    await page.getByLabel("Last day").fill("2126-11-27");
    await page.locator("summary").filter({ hasText: "agents" }).click();
    await page.getByLabel("All of these of agents").check();
    await page.locator("summary").filter({ hasText: "retirements" }).click();
    await page.getByLabel("retirements:write").check();
    await look(page, "create organization token");
  });
  assert.match(token, /^ak_/);
  await answers(token, 200);
  assert.match((await gateway(token)).body, /"scopes":"agents:delete agents:read agents:write retirements:write"/);
  await row(page, "Retire on sale").getByText("agents:").first().waitFor();
  await row(page, "Retire on sale").getByText("in 100 years").waitFor();
  await status(page, "Retire on sale", "Revoke");
  await done(page, "“Retire on sale” is revoked.");
  await answers(token, 401);
  assert.deepEqual(await traces(page, token.split(".")[1]), []);
}));

test("carbon registry: never, which is warned about, and what a policy forbids is not offered", async () => {
  await as("gwen", async (page) => {
    await open(page, "/organizations/globex/tokens");
    await page.getByRole("button", { name: "Create access token" }).click();
    await pick(page, "Never");
    await page.getByText("works until somebody revokes it").waitFor();
    await look(page, "never expires");
  });
  await as("carl", async (page) => {
    await open(page, "/organizations/acme/tokens");
    await page.getByRole("button", { name: "Create access token" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Tokens live for 364 days at most here.").waitFor();
    assert.equal(await dialog.getByRole("radio", { name: "Never" }).count(), 0);
    assert.equal(await dialog.getByRole("radio", { name: "1 year" }).count(), 0);
  });
});

test("carbon registry: a person's own token, with a choice of permissions", () => as("gwen", async (page) => {
  await open(page, "/account/tokens");
  const token = await create(page, "New token", "Notebook", async () => {
    await pick(page, "Only what I choose");
    await page.locator("summary").filter({ hasText: "agents" }).click();
    await page.getByLabel("agents:read").check();
    await look(page, "create personal token with permissions");
  });
  await answers(token, 200, "-H", "X-Org-Id: globex");
  assert.match((await gateway(token, "-H", "X-Org-Id: globex")).body, /"subject":"gwen","org":"globex","scopes":"agents:read"/);
}));

test("agent platform: an API key carries its organization; the line of the dialog works", () => as("carl", async (page) => {
  await open(page, "/organizations/acme/tokens");
  await page.getByRole("button", { name: "Create access token" }).click();
  await field(page, "Name").fill("Production");
  await field(page, "Role").selectOption("editor");
  await page.getByRole("button", { name: "Create token" }).click();
  const token = await page.getByRole("textbox", { name: "Token" }).textContent();
  assert.match(token, /^ak_\w+\.\w+$/);
  await page.getByRole("button", { name: "Copy command" }).click();
  const line = await copied(page);
  await within(1000, 200, () => runs(line));
  await page.getByRole("button", { name: "Done" }).click();
  assert.match((await gateway(token)).body, /"org":"acme","scopes":"agents:\*"/);
  await status(page, "Production", "Delete…");
  await page.getByLabel("Type Production to confirm").fill("Production");
  await page.getByRole("button", { name: "Delete token" }).click();
  await done(page, "“Production” is deleted.");
  await answers(token, 401);
  assert.match((await gateway(token)).body, /token_unknown/);
}));

test("agent platform: a personal token is bound to no organization", () => as("ann", async (page) => {
  await open(page, "/account/tokens");
  const token = await create(page, "New token", "CLI", async () => null);
  assert.match(token, /^pat_/);
  await answers(token, 200, "-H", "X-Org-Id: acme");
  const without = await gateway(token);
  assert.equal(without.status, 401);
  assert.match(without.body, /Token is missing organization claim\./);
  assert.equal((await gateway(token, "-H", "X-Org-Id: globex")).status, 403, "of which she is no member");
  assert.equal((await curl(`${world.gateway}/public`)).status, 204, "what is public stays so");
}));

test("technical users: a group's administrator and the group's tokens", () => as("dora", async (page) => {
  await open(page, "/organizations/acme/groups/research/tokens");
  await look(page, "group tokens");
  assert.equal(await row(page, "CRM export").count(), 0, "no other group's");
  assert.equal(await row(page, "Deploy script").count(), 0, "nor the organization's");
  const user = await create(page, "Create access token", "Sensor", async () => {
    await pick(page, "90 days");
    await field(page, "Role").selectOption("editor");
  });
  const admin = await create(page, "Create access token", "Steward", async () => {
    await page.getByLabel(/Assign the group-admin role/).check();
    await look(page, "create group token");
  });
  assert.match(user, /^gk_/);
  await answers(user, 200);
  const lists = (token) => curl("-H", `Authorization: Bearer ${token}`, `${world.origin}/api/v1/organizations/acme/groups/research/tokens`);
  assert.equal((await lists(admin)).status, 200, "with the admin role it manages the group");
  assert.equal((await lists(user)).status, 403, "without, it does not");
  const whole = await curl("-H", `Authorization: Bearer ${admin}`, `${world.origin}/api/v1/organizations/acme/tokens`);
  assert.equal(whole.status, 403, "nor does it manage more than the group");

  await status(page, "Sensor", "Revoke");
  await done(page, "“Sensor” is revoked.");
  await answers(user, 401);
  await status(page, "Sensor", "Restore");
  await done(page, "“Sensor” is restored.");
  await answers(user, 200);
  await status(page, "Sensor", "Delete…");
  await page.getByLabel("Type Sensor to confirm").fill("Sensor");
  await page.keyboard.press("Enter");
  await done(page, "“Sensor” is deleted.");
  await answers(user, 401);
  assert.equal(await row(page, "Sensor").count(), 0);
}));

test("technical users: the organization's administrator sees the groups', too", () => as("carl", async (page) => {
  await open(page, "/organizations/acme/tokens?include=groups");
  await row(page, "CRM export").getByText("sales").waitFor();
  await row(page, "Lab robot").getByText("research").first().waitFor();
}));

test("commerce: a token that was retrieved by a password appears in the list", () => as("ann", async (page) => {
  const answer = await curl("-X", "POST", "-u", `ann:${world.password}`, `${world.origin}/api/v1/auth_token`);
  assert.equal(answer.status, 200);
  const { auth_token: token } = JSON.parse(answer.body);
  await open(page, "/account/tokens");
  await row(page, "retrieved").getByText("Active").waitFor();
  await answers(token, 200, "-H", "X-Org-Id: acme");
  const scheme = await curl("-H", `Authorization: Token ${token}`, "-H", "X-Org-Id: acme", `${world.gateway}/agents`);
  assert.equal(scheme.status, 200, "by the scheme Token");
  await status(page, "retrieved", "Revoke");
  await done(page, "“retrieved” is revoked.");
  await answers(token, 401, "-H", "X-Org-Id: acme");
}));
