// Retrieves a token by user name and password, uses it, and revokes it, with Node's https.
const http = require("node:http");
const https = require("node:https");

const { CONSOLE, SHOP, LOGIN, PASSWORD } = process.env;

function send(method, url, headers, body) {
  const { request } = url.startsWith("https:") ? https : http;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    const sent = request(url, { method, headers: { ...headers, ...length } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const second = () => new Promise((resolve) => setTimeout(resolve, 1000));

async function main() {
  const retrieved = await send(
    "POST",
    `${CONSOLE}/api/v1/auth_token`,
    { "Content-Type": "application/json" },
    JSON.stringify({ username: LOGIN, password: PASSWORD }),
  );
  const token = JSON.parse(retrieved.text).auth_token;
  const fields = { Authorization: `Token ${token}` };
  const products = async () => console.log((await send("GET", `${SHOP}/api/products/`, fields)).status);

  await second(); // nginx learns of every change within milliseconds
  await products();
  const form = { ...fields, "Content-Type": "application/x-www-form-urlencoded" };
  await send("POST", `${CONSOLE}/oauth/revoke`, form, `token=${encodeURIComponent(token)}`);
  await second();
  await products();
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
