// A browser, and what each page is held to: nothing that axe finds, that the content security policy stopped, or that
// failed in a script; nothing wider than the window.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { promisify } from "node:util";
import axe from "axe-core";
import { chromium } from "playwright-core";

export const world = JSON.parse(process.env.TOKEN_AUTH_WORLD);
const pictures = process.env.TOKEN_AUTH_PICTURES; // a directory for a picture of each page
const run = promisify(execFile);

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
});
export const closeBrowser = () => browser.close();

export const tokenctl = (...args) => execFileSync("tokenctl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

// The answer of curl: { status, body }.
export async function curl(...args) {
  const { stdout } = await run("curl", ["-sS", "-w", "\n%{http_code}", ...args]);
  const end = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

// The answer of the gateway to a token.
export const gateway = (token, ...args) => curl("-H", `Authorization: Bearer ${token}`, ...args, `${world.gateway}/agents`);

// Asks again until the answer is as wanted; fails after that many milliseconds.
export async function within(milliseconds, wanted, ask) {
  const end = Date.now() + milliseconds;
  for (;;) {
    const answer = await ask();
    if (answer === wanted) return;
    assert.ok(Date.now() < end, `${answer}, not ${wanted}, after ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// What the API answers to whom this page belongs to: { status, body }.
export const api = (page, method, path, json) => page.evaluate(async ([method, path, json]) => {
  const headers = json === undefined ? {} : { "Content-Type": "application/json" };
  const answer = await fetch(`/api/v1${path}`, { method, headers, ...(json === undefined ? {} : { body: JSON.stringify(json) }) });
  const text = await answer.text();
  return { status: answer.status, body: text && JSON.parse(text) };
}, [method, path, json]);

// A person in a browser of their own. What went wrong on their pages fails the story at its end.
export async function as(user, story, options = {}) {
  const context = await browser.newContext({
    baseURL: world.origin, viewport: { width: 1280, height: 900 }, reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"], ...options,
  });
  context.setDefaultTimeout(30000);
  const wrong = [];
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  context.on("page", (page) => {
    page.on("pageerror", (error) => wrong.push(`error: ${error.stack}`));
    page.on("console", (message) => {
      // answers that are refusals are not wrong
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(message.text());
    });
  });
  try {
    if (user !== null) {
      const answer = await context.request.post(`${world.origin}/api/v1/session`,
        { headers: { Origin: world.origin }, data: { username: user, password: world.password } });
      assert.equal(answer.status(), 200, `${user} logs in`);
    }
    await story(await context.newPage(), context);
    assert.deepEqual(wrong, [], "nothing went wrong on the pages");
  } finally {
    await context.close();
  }
}

// A page that is there as a whole.
export async function open(page, path) {
  await page.goto(path);
  await ready(page);
}
export async function ready(page) {
  await page.waitForFunction(() => document.querySelector("h1") && !document.querySelector("[aria-busy=true]"));
}

// What stories are made of: a row of a table, an entry of its menu, a field of a dialog, and what the page says was done.
export const row = (page, name) => page.getByRole("row").filter({ hasText: name });
export async function choose(page, name, item) {
  await page.getByRole("button", { name: `Actions for ${name}` }).first().click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
}
export const field = (page, label) => page.locator("dialog").getByLabel(label, { exact: true });
// One of some radio buttons, by its words.
export const pick = (page, text) => page.locator("dialog label.choice").filter({ hasText: text }).first().click();
export const done = (page, text) => page.getByRole("status").filter({ hasText: text }).waitFor();

// An entry of the menu in a token's status column.
export async function status(page, name, item) {
  await row(page, name).getByRole("button", { name: /: change / }).first().click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
}

// Creates a token in the dialog, which `fill` fills in beside the name, and copies it: the token.
export async function create(page, button, name, fill) {
  await page.getByRole("button", { name: button }).first().click();
  await field(page, "Name").fill(name);
  await fill();
  await page.getByRole("button", { name: "Create token" }).click();
  await page.getByRole("button", { name: "Copy token" }).click();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  return copied(page);
}
export const copied = (page) => page.evaluate(() => navigator.clipboard.readText());

// The status that a line with curl gets, run by a shell as it was copied.
export async function runs(line) {
  const { stdout } = await run("sh", ["-c", `${line} -s -o /dev/null -w '%{http_code}'`]);
  return Number(stdout);
}

const schemes = ["light", "dark"];
const widths = [360, 1280];

// Holds what is shown to axe, in both schemes and at two widths.
export async function look(page, name) {
  if (world.postgresql) return; // the same pages
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${name} fits in ${width} px: ${wide}`);
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme });
      // the scheme changes colours alone
      const rules = colorScheme === schemes[0] ? {} : { runOnly: ["color-contrast", "link-in-text-block"] };
      assert.deepEqual(await findings(page, rules), [], `${name}: axe at ${width} px, ${colorScheme}`);
      if (pictures) {
        mkdirSync(pictures, { recursive: true });
        await page.screenshot({ path: `${pictures}/${name.replace(/\W+/g, "-")}-${width}-${colorScheme}.png` });
      }
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
}

async function findings(page, rules) {
  await page.evaluate(`window.axe === undefined && (() => { ${axe.source} })()`);
  const found = await page.evaluate((which) => axe.run({ resultTypes: ["violations"], ...which }), rules);
  return found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html}\n${node.failureSummary}`));
}

// Where a text is kept in the browser, beside the fields that are shown: nowhere, it is hoped.
export async function traces(page, secret) {
  const context = page.context();
  const found = await page.evaluate((text) => {
    const places = {
      html: document.documentElement.outerHTML,
      values: [...document.querySelectorAll("input, textarea")].map((field) => field.value).join("\n"),
      url: location.href,
      state: JSON.stringify(history.state) ?? "",
      local: JSON.stringify({ ...localStorage }),
      session: JSON.stringify({ ...sessionStorage }),
      title: document.title,
    };
    return Object.keys(places).filter((place) => places[place].includes(text));
  }, secret);
  if (JSON.stringify(await context.storageState({ indexedDB: true })).includes(secret)) found.push("storage");
  if (await page.evaluate(() => caches.keys().then((keys) => keys.length))) found.push("caches");
  return found;
}
