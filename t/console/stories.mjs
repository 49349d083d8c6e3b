// All stories in one process, with one browser. Names of files as arguments run these alone; usable.mjs and pictures.mjs
// run if they are named only.
import { after } from "node:test";
import { closeBrowser } from "./harness.mjs";

const all = ["login", "pages", "tokens", "platforms", "organizations", "system"];
after(closeBrowser);
for (const name of process.argv.length > 2 ? process.argv.slice(2) : all) await import(`./${name}.mjs`);
