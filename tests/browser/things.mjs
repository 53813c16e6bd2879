// The other things that people make: an inbox, an event type, a key, and an operator who may only look.

import { Visitor } from "./browser.mjs";
import { look } from "./look.mjs";
import { BASE, call } from "./world.mjs";

const VIEWER = { name: "Charles Babbage", email: "charles@example.com", password: "difference engine 1822" };

/// A URL for trying out; what is sent to it appears by itself.
export async function tryInbox({ owner, app }) {
  await owner.go(`/console/apps/${app}/inboxes`);
  await owner.press("Create inbox");
  await owner.sees("The inbox is ready.");
  const url = await owner.page.locator(".secret-text").innerText();
  await fetch(url, { method: "POST", body: '{"hello":"inbox"}' });
  await owner.sees('{"hello":"inbox"}');
  await look(owner, "inbox");
}

export async function createType({ owner, app }) {
  await owner.go(`/console/apps/${app}/event-types`);
  await owner.follow("Create event type");
  await owner.fill("Type", "invoice.paid");
  await owner.fill("Meaning", "An invoice was paid in full.");
  await owner.fill("Example", '{"invoice": "in_1", "amount": 100}');
  await owner.fill("Schema", '{"type": "object", "required": ["invoice"]');
  await owner.expecting(422, () => owner.press("Create"));
  await owner.page.locator("[aria-invalid=true]").waitFor();
  await look(owner, "event-type-refused");
  await owner.fill("Schema", '{"type": "object", "required": ["invoice"]}');
  await owner.press("Create");
  await owner.sees("The event type is saved.");
  await look(owner, "event-type");
}

/// A key is shown once, and works.
export async function createKey({ owner, app }) {
  await owner.go(`/console/apps/${app}/keys`);
  await owner.follow("Create key");
  await owner.fill("Name", "till");
  await owner.page.getByRole("checkbox", { name: "publish", exact: true }).check();
  await owner.press("Create");
  await owner.heading("Key till");
  const key = await owner.page.locator(".secret-text").innerText();
  await look(owner, "key-created");
  await call("POST", "/changes", { type: "invoice.paid", data: { invoice: "in_31" } }, app, key);
  await owner.follow("I have kept it");
  await owner.heading("Keys");
  if ((await owner.page.content()).includes(key)) throw new Error("the key is shown again");
}

/// A viewer reads everything, and is offered nothing that changes.
export async function onlyLooks({ browser, owner, app, hook }) {
  await owner.go("/console/operators");
  await owner.follow("Add operator");
  await owner.fill("Name", VIEWER.name);
  await owner.fill("E-mail address", VIEWER.email);
  await owner.page.getByLabel("Role").selectOption("viewer");
  await owner.fill("First password", VIEWER.password);
  await owner.press("Add");
  await owner.sees("The operator can sign in now.");

  const viewer = await Visitor.enter(browser, { base: BASE, name: "viewer" });
  await viewer.go(`/console/apps/${app}/webhooks/${hook}`);
  await viewer.fill("E-mail address", VIEWER.email);
  await viewer.fill("Password", VIEWER.password);
  await viewer.press("Sign in");
  await viewer.sees("Recent deliveries");
  for (const word of ["Send test event", "Pause", "Sign out"]) {
    const shown = await viewer.page.getByRole("button", { name: word, exact: true }).count();
    if (shown !== (word === "Sign out" ? 1 : 0)) throw new Error(`a viewer sees ${shown} of ${word}`);
  }
  await look(viewer, "viewer-webhook");
  await viewer.expecting(403, () => viewer.go(`/console/apps/${app}/webhooks/new`));
  await viewer.page.locator("main h1").waitFor();
  await look(viewer, "viewer-refused");
  await viewer.expecting(404, () => viewer.go("/console/no/such/page"));
  await look(viewer, "no-such-page");
  await viewer.leave();
}
