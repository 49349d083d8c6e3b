// All stories in one process, with one browser. Names of files as arguments run these alone.
import { after } from "node:test";
import { closeBrowser } from "./harness.mjs";

const all = ["login", "pages", "tokens", "platforms", "organizations", "system", "usable"];
after(closeBrowser);
for (const name of process.argv.length > 2 ? process.argv.slice(2) : all) await import(`./${name}.mjs`);
