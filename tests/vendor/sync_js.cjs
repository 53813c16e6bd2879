// The vendor's client of Sync (@paybook/sync-js), unmodified, through its whole webhook story. Its base is
// written into it, so node-fetch is replaced by one that leads every call to SYNC_BASE_URL.
"use strict";

const assert = require("node:assert");
const http = require("node:http");

const BASE = process.env.SYNC_BASE_URL;
const KEY = process.env.SYNC_API_KEY;
const VENDOR = "https://api.syncfy.com";
const SITE = "56cf5728784806f72b8b4568";
const TRANSACTIONS = 5001;

const fetch = require("node-fetch");
const ours = (url, options) => {
  assert(url.startsWith(VENDOR), url);
  return fetch(BASE + url.slice(VENDOR.length), options);
};
require.cache[require.resolve("node-fetch")].exports = ours;
const Sync = require("@paybook/sync-js");

const key = { api_key: KEY };
const received = [];
const waiting = [];

const receiver = http.createServer((request, response) => {
  let text = "";
  request.on("data", (part) => (text += part));
  request.on("end", () => {
    const body = JSON.parse(text);
    const next = waiting.shift();
    next ? next(body) : received.push(body);
    response.writeHead(200, { "content-type": "text/plain" });
    response.end("Hello from my webhook!");
  });
});

async function notified(event) {
  const body = received.shift() || (await new Promise((resolve) => waiting.push(resolve)));
  assert.strictEqual(body.event, event, JSON.stringify(body));
  return body;
}

// The client puts the version in front by itself.
const follow = (token, endpoint) => Sync.run(token, endpoint.replace(/^\/v1/, ""), {}, "GET");

// What a connector does: the data of an account, as lines of JSON.
async function bring(credential, records) {
  const headers = { authorization: `Bearer ${KEY}` };
  const accounts = await (await fetch(`${BASE}/api/v1/record-accounts`, { headers })).json();
  const own = (account) => account.details.jobs.some((job) => job.id_job === credential.id_job);
  const { id } = accounts.data.find(own);
  const answer = await fetch(`${BASE}/api/v1/accounts/${id}/records`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/x-ndjson" },
    body: records.map((record) => JSON.stringify(record) + "\n").join(""),
  });
  assert(answer.ok, await answer.text());
}

async function webhooks(url) {
  assert.deepStrictEqual(await Sync.run(key, "/webhooks", {}, "GET"), []);
  const wanted = { url, events: ["credential_create", "credential_update", "refresh"] };
  const made = await Sync.run(key, "/webhooks", wanted, "POST");
  const { id_webhook, dt_created } = made;
  assert(Number.isInteger(dt_created) && /^[0-9a-f]{24}$/.test(id_webhook), JSON.stringify(made));
  assert.deepStrictEqual(made, { id_webhook, id_user: null, ...wanted, delay: 0, dt_created, dt_modified: null });
  const [listed] = await Sync.run(key, "/webhooks", {}, "GET");
  const seconds = new Date(dt_created * 1000).toISOString().replace(".000Z", "+00:00");
  assert.deepStrictEqual(listed, { ...made, is_disabled: 0, ct_failed: 0, dt_created: seconds });
  return id_webhook;
}

async function people() {
  assert.deepStrictEqual(await Sync.run(key, "/users", { id_external: "EOOA989602" }, "GET"), []);
  const made = await Sync.run(key, "/users", { id_external: "ORTO7890", name: "Randy Ort" }, "POST");
  const user = await Sync.run(key, `/users/${made.id_user}`, { name: "Randy Orton" }, "PUT");
  assert.strictEqual(user.name, "Randy Orton");
  const token = await Sync.auth(key, { id_user: user.id_user });
  const verified = await Sync.run({}, `/sessions/${token.token}/verify`, {}, "GET");
  assert.strictEqual(verified.response, true);
  return [user.id_user, token];
}

async function story(user, token) {
  const catalogue = await Sync.run(token, "/catalogues/organizations/sites", { id_site: SITE }, "GET");
  const site = catalogue[0].sites[0];
  const credentials = Object.fromEntries(site.credentials.map((field) => [field.name, "test"]));
  const pull = { id_site: site.id_site, credentials };
  const credential = await Sync.run(token, "/credentials", pull, "POST");
  const created = await notified("credential_create");
  assert.strictEqual(created.id_credential, credential.id_credential);
  assert.strictEqual(created.id_user, user);
  const [shown] = await follow(token, created.endpoints.credential[0]);
  assert.strictEqual(shown.username, "t**t");
  const job = `/jobs/${credential.id_job}/status`;
  const codes = async () => (await Sync.run(token, job, token, "GET")).map(({ code }) => code);
  assert.deepStrictEqual(await codes(), [100, 101]);

  const of = (number) => String(number).padStart(24, "0");
  const records = Array.from({ length: TRANSACTIONS }, (_, number) => {
    return { collection: "transactions", key: of(number), data: { amount: number } };
  });
  records.push({ collection: "accounts", key: of(1), data: { name: "Checking" } });
  const xml = Buffer.from("<cfdi/>").toString("base64");
  records.push({ collection: "attachments", key: of(2), data: { file: "a.xml", content: xml, extra: [{ n: "CFDI" }] } });
  await bring(credential, records);

  const { endpoints } = await notified("refresh");
  assert.deepStrictEqual(Object.values(endpoints).map((pages) => pages.length), [1, 1, 1, 2]);
  const pages = [];
  for (const page of endpoints.transactions) pages.push(...(await follow(token, page)));
  assert.deepStrictEqual(pages.map(({ amount }) => amount), records.slice(0, TRANSACTIONS).map(({ data }) => data.amount));
  const [account] = await follow(token, endpoints.accounts[0]);
  assert.strictEqual(account.name, "Checking");
  const [attachment] = await follow(token, endpoints.attachments[0]);
  assert.strictEqual(await Sync.run(token, attachment.url, {}, "GET"), "<cfdi/>");
  const extra = await Sync.run(token, `${attachment.url}/extra`, {}, "GET");
  assert.deepStrictEqual(extra.extra, [{ n: "CFDI" }]);
  assert.deepStrictEqual(await codes(), [100, 101, 102, 200]);
  const filter = { id_credential: credential.id_credential };
  assert.deepStrictEqual(await Sync.run(token, "/transactions/count", filter, "GET"), { count: TRANSACTIONS });
  const few = await Sync.run(token, "/transactions", { ...filter, limit: 5 }, "GET");
  assert.strictEqual(few.length, 5);
  const gone = await Sync.run(token, `/credentials/${credential.id_credential}`, {}, "DELETE");
  assert.strictEqual(gone.response, true);
}

async function ended(webhook, user, token) {
  // The client does not throw: what was refused has no response.
  assert.strictEqual(await Sync.run({ api_key: "no" }, "/webhooks", {}, "GET"), null);
  assert.strictEqual(await Sync.run(key, "/nothing", {}, "GET"), null);
  for (const path of [`/webhooks/${webhook}`, `/users/${user}`]) {
    const gone = await Sync.run(key, path, {}, "DELETE");
    const { rid } = gone;
    assert.deepStrictEqual(gone, { rid, code: 200, errors: null, status: true, message: null, response: true });
  }
  assert.deepStrictEqual(await Sync.run(key, "/webhooks", {}, "GET"), []);
  assert.strictEqual(await Sync.run(token, "/credentials", {}, "GET"), null);
}

async function main() {
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const webhook = await webhooks(`http://127.0.0.1:${receiver.address().port}/webhook`);
  console.log("webhooks: ok");
  const [user, token] = await people();
  console.log("people: ok");
  await story(user, token);
  console.log("story: ok");
  await ended(webhook, user, token);
  console.log("ended: ok");
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
