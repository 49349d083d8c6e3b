// How long it takes until a page can be used, with nothing of it in the browser's cache.
import assert from "node:assert/strict";
import { test } from "node:test";
import { as } from "./harness.mjs";

const tries = 7;

for (const path of ["/organizations/acme/tokens", "/organizations/acme/audit"]) {
  test(`${path} is there within a second`, async (context) => {
    const times = [];
    for (let i = 0; i < tries; i++) {
      await as("carl", async (page) => {
        const begin = Date.now();
        await page.goto(path, { waitUntil: "commit" });
        await page.waitForFunction(() => document.querySelector("tbody tr:not(.skeleton-row)"), undefined, { polling: "raf" });
        times.push(Date.now() - begin);
      });
    }
    times.sort((a, b) => a - b);
    context.diagnostic(`${times.join(" ")} ms`);
    // the best one: others may have had to wait for what else the machine does
    assert.ok(times[0] < 1000, `${times[0]} ms`);
  });
}
