import assert from "node:assert/strict";
import { test } from "node:test";
import { as, look, open, world } from "./harness.mjs";

test("logging in", () => as(null, async (page) => {
  await open(page, "/");
  await page.waitForURL("**/login*");
  await look(page, "login");
  await page.getByLabel("User").fill("ann");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText(/wrong|not right|do not match/i).first().waitFor();
  await page.getByLabel("Password").fill(world.password);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/account/tokens");
  assert.ok(await page.getByText("Ann's laptop").isVisible());
}));
