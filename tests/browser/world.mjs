// What the story needs around the console: the API for what is there before it begins, a receiver that
// answers as it is told, a calendar that somebody edits.

import { createServer } from "node:http";

const { TIDINGS_URL, TIDINGS_KEY, CALDAV_URL } = process.env;
/// Everything happens within this time, milliseconds.
const PATIENCE = 30_000;
const POLL = 50;

export const BASE = TIDINGS_URL;
export const CALDAV = CALDAV_URL;
/// The calendar that the story edits.
const CALENDAR = "/u/work/";

/// A call of the native API in this app, with the owner key if no other is given; it must succeed.
export async function call(method, path, body, app, key = TIDINGS_KEY) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  if (app) headers["tidings-app"] = app;
  const answer = await fetch(`${BASE}/api/v1${path}`, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

/// Looks again until there is something.
export async function until(what, look) {
  const giveUp = Date.now() + PATIENCE;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > giveUp) throw new Error(`${what}: not within ${PATIENCE} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

/// A receiver of webhooks: keeps what arrives and answers with `status`.
export async function receiver() {
  const received = [];
  const state = { status: 200, received };
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    received.push({ headers: request.headers, path: request.url, body: Buffer.concat(chunks).toString() });
    response.writeHead(state.status, { "content-type": "text/plain" });
    response.end(state.status < 300 ? "" : "the database of the shop is being moved\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  state.url = `http://127.0.0.1:${server.address().port}`;
  state.close = () => server.close();
  state.arrived = (kind) =>
    until(`a webhook of ${kind}`, () => received.find(({ body }) => body.includes(`"${kind}"`)));
  return state;
}

/// A calendar of the user `u`, whose password is `secret`.
export async function newCalendar() {
  await dav("MKCALENDAR", CALENDAR);
}

/// Somebody puts a meeting into it.
export function meeting(uid, title) {
  const lines = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Tidings//browser//EN",
    "BEGIN:VEVENT",
    `UID:${uid}`,
    "DTSTAMP:20260301T090000Z",
    "DTSTART:20260312T090000Z",
    "DTEND:20260312T100000Z",
    `SUMMARY:${title}`,
    "END:VEVENT",
    "END:VCALENDAR",
    "",
  ];
  return dav("PUT", `${CALENDAR}${uid}.ics`, lines.join("\r\n"));
}

async function dav(method, path, body) {
  const headers = { authorization: `Basic ${btoa("u:secret")}` };
  if (body) headers["content-type"] = "text/calendar; charset=utf-8";
  const answer = await fetch(new URL(path, CALDAV), { method, headers, body });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
}
