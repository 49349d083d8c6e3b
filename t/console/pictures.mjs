// The pictures of docs/CONSOLE.md, if TOKEN_AUTH_PICTURES names a directory for them: not a test.
import { test } from "node:test";
import { as, field, gateway, open, row, within, api, world } from "./harness.mjs";

const pictures = process.env.TOKEN_AUTH_PICTURES;
const used = ["ACME", "REPORT", "ADMIN", "ROBOT", "DISPLAY", "GLOBEX"];

async function take(page, name) {
  await page.waitForTimeout(300);
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${pictures}/${name}.png` });
}

test("pictures", async () => {
  for (const name of used) await gateway(world.tokens[name], "-H", "X-Org-Id: acme");
  const at = (height) => ({ viewport: { width: 1280, height } });
  await as("carl", async (page) => {
    await open(page, "/account");
    await within(5000, true, async () => (await api(page, "GET", "/organizations/acme/tokens?q=Nightly")).body.items[0].last_used !== null);
    await open(page, "/organizations/acme/tokens");
    await take(page, "tokens");
    await row(page, "Deploy script").getByRole("button", { name: /: change / }).click();
    await page.emulateMedia({ colorScheme: "dark" });
    await take(page, "status");
  }, at(760));
  await as("carl", async (page) => {
    await open(page, "/organizations/acme/tokens");
    await page.getByRole("button", { name: "Create access token" }).click();
    await field(page, "Name").fill("Retirement service");
    await field(page, "Description (optional)").fill("Retires credits on sale");
    await page.locator("summary").filter({ hasText: "retirements" }).click();
    await page.getByLabel("All of these of retirements").check();
    await take(page, "create");
    await page.getByRole("button", { name: "Create token" }).click();
    await page.getByRole("textbox", { name: "Token" }).waitFor();
    await take(page, "shown-once");
  }, at(960));
  await as("carl", async (page) => {
    await open(page, "/organizations/acme/audit");
    await take(page, "audit");
  }, at(760));
  await as("ann", async (page) => {
    await open(page, "/account/tokens");
    await take(page, "phone");
  }, { viewport: { width: 390, height: 800 }, deviceScaleFactor: 2, colorScheme: "dark" });
});
