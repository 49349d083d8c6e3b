import assert from "node:assert/strict";
import { test } from "node:test";
import { api, as, look, open, world } from "./harness.mjs";

test("logging in", () => as(null, async (page) => {
  await open(page, "/");
  await page.waitForURL("**/login*");
  await look(page, "login");
  await page.getByLabel("User name").fill("ann");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").getByText("The user name or the password is wrong.").waitFor();
  await page.getByLabel("Password").fill(world.password);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/account/tokens");
  await page.getByText("Ann's laptop").waitFor();
}));

test("single sign-on that names nobody", () => as(null, async (page) => {
  await open(page, "/login");
  await page.getByRole("button", { name: "Continue with single sign-on" }).click();
  await page.getByText("Single sign-on named nobody who is known here.").waitFor();
}));

test("one's name and password, and logging out everywhere", () => as("ann", async (page) => {
  await open(page, "/account");
  await page.getByLabel("Name (optional)").fill("Ann L.");
  await page.getByRole("button", { name: "Save name" }).click();
  await page.getByRole("status").filter({ hasText: "Your name was saved." }).waitFor();
  await page.getByRole("navigation", { name: "Console" }).getByText("Ann L.").waitFor();
  await page.getByLabel("Current password").fill("not the password");
  await page.getByLabel("New password").fill("short");
  await page.getByRole("button", { name: "Change password" }).click();
  await page.locator("[aria-invalid=true], [role=alert]").first().waitFor();
  await look(page, "account refused");
  await page.getByLabel("Current password").fill(world.password);
  await page.getByLabel("New password").fill(`${world.password}!`);
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByRole("status").filter({ hasText: "Your password was changed." }).waitFor();
  const put = await api(page, "PUT", "/me/password", { old: `${world.password}!`, new: world.password });
  assert.equal(put.status, 204);
  await page.getByLabel("Name (optional)").fill("Ann Lindqvist");
  await page.getByRole("button", { name: "Save name" }).click();
  await page.getByRole("navigation", { name: "Console" }).getByText("Ann Lindqvist").waitFor();
  await page.getByRole("button", { name: "Log out everywhere" }).click();
  await page.waitForURL("**/login*");
  await open(page, "/account");
  await page.waitForURL("**/login*");
}));
