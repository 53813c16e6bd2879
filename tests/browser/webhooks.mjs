// The seed's path: Apps, an app, its Webhooks tab, Create Webhook, a URL, triggers, Create. And what people do
// with a webhook afterwards.

import { Visitor } from "./browser.mjs";
import { pressKey, tabTo, typeInto } from "./keyboard.mjs";
import { look } from "./look.mjs";
import { signIn } from "./signing_in.mjs";
import { BASE, call, receiver, until } from "./world.mjs";

const TABS = ["Overview", "Webhooks", "Accounts", "Changes", "Event types", "Inboxes", "Keys", "Settings"];

/// A new app, whose tabs say what to do first.
export async function createApp(story) {
  const { owner } = story;
  await owner.go("/console/");
  await owner.follow("Create app");
  await owner.heading("Create app");
  await owner.fill("Name", "Shop");
  await owner.press("Create");
  await owner.sees("The app is created. Next: create a webhook.");
  story.app = owner.page.url().match(/app_\w+/)[0];
  for (const tab of TABS) {
    await owner.follow(tab, owner.page.getByRole("navigation", { name: "App Shop" }));
    await owner.page.locator("nav.tabs [aria-current=page]", { hasText: tab }).waitFor();
    await look(owner, `empty-${tab.toLowerCase().replace(" ", "-")}`);
  }
}

/// The boxes of one format in the form of a webhook.
function boxes(visitor, format) {
  return visitor.page.locator(".format").filter({ has: visitor.page.getByRole("radio", { name: format }) });
}

export async function createWebhook(story) {
  const { owner } = story;
  story.shop = await receiver();
  await owner.go("/console/");
  await owner.follow("Apps");
  await owner.follow("Shop");
  await owner.follow("Webhooks");
  await owner.follow("Create Webhook");
  await owner.heading("Create Webhook");
  await look(owner, "create-webhook");
  await owner.fill("URL", "not a url");
  await owner.expecting(422, () => owner.press("Create"));
  await owner.page.locator("[aria-invalid=true]").waitFor();
  await look(owner, "create-webhook-refused");
  await owner.fill("URL", `${story.shop.url}/hooks`);
  const native = boxes(owner, "Tidings");
  for (const trigger of ["event.created", "event.updated", "event.deleted"]) {
    await native.getByLabel(trigger, { exact: true }).check();
  }
  await owner.fill("Other triggers", "invoice.*");
  await owner.press("Create");
  await owner.sees("The webhook is created.");
  await owner.heading(`${story.shop.url}/hooks`);
  await look(owner, "webhook-created");
  story.hook = owner.page.url().match(/hook_\w+/)[0];
}

/// The same without a mouse.
export async function createByKeyboard({ owner, shop }) {
  await owner.go("/console/");
  await pressKey(owner, "link", "Shop");
  await owner.heading("Shop");
  await pressKey(owner, "link", "Webhooks");
  await owner.heading("Webhooks");
  await pressKey(owner, "link", "Create Webhook");
  await owner.heading("Create Webhook");
  await typeInto(owner, "URL", `${shop.url}/keyboard`);
  await pressKey(owner, "checkbox", "calendar.created", "Space");
  await tabTo(owner, "button", "Create");
  await owner.page.keyboard.press("Enter");
  await owner.sees("The webhook is created.");
}

/// The same without JavaScript.
export async function createWithoutJavaScript({ browser, app, shop }) {
  const plain = await Visitor.enter(browser, { base: BASE, name: "no script", javaScriptEnabled: false });
  await signIn(plain, `/console/apps/${app}/webhooks/new`);
  await plain.heading("Create Webhook");
  await plain.fill("URL", `${shop.url}/plain`);
  await boxes(plain, "Tidings").getByLabel("calendar.created", { exact: true }).check();
  await plain.press("Create");
  await plain.sees("The webhook is created.");
  await plain.press("Pause");
  await plain.sees("The webhook is paused.");
  await plain.press("Enable");
  await plain.sees("The webhook is enabled.");
  await plain.leave();
}

/// A new secret, once the password is given again; the receiver's next request is signed with both.
export async function rotateSecret({ owner, app, hook, shop }) {
  await owner.go(`/console/apps/${app}/webhooks/${hook}`);
  await owner.follow("Secret");
  await owner.press("Reveal secret");
  const old = await owner.page.locator(".secret-text").first().innerText();
  await owner.press("Rotate secret");
  await owner.sees("There is a new secret.");
  const secret = await owner.page.locator(".secret-text").first().innerText();
  if (!secret.startsWith("whsec_") || secret === old) throw new Error("the secret is no new one");
  await look(owner, "secret-rotated");
  const before = shop.received.length;
  await owner.go(`/console/apps/${app}/webhooks/${hook}`);
  await owner.press("Send test event");
  const sent = await until("a test event", () => shop.received[before]);
  const signatures = sent.headers["webhook-signature"].split(" ").length;
  if (signatures !== 2) throw new Error(`${signatures} signatures while two secrets sign`);
}

/// An app's own customer, in a browser of their own, with their own webhooks only.
export async function portal({ browser, app, shop }) {
  const user = await call("POST", "/users", { external_id: "grace" }, app);
  const link = await call("POST", `/users/${user.id}/portal-links`, { ttl_s: 600 }, app);
  const customer = await Visitor.enter(browser, { base: BASE, name: "customer" });
  await customer.go(link.url);
  await customer.heading("Webhooks");
  if (customer.page.url().includes(link.url.split("/").pop())) throw new Error("the token stays in the address");
  await look(customer, "portal-empty");
  await customer.follow("Create Webhook");
  await look(customer, "portal-create-webhook");
  await customer.fill("URL", `${shop.url}/grace`);
  await boxes(customer, "Tidings").getByLabel("event.created", { exact: true }).check();
  await customer.press("Create");
  await customer.sees("The webhook is created.");
  await customer.press("Send test event");
  await customer.page.getByRole("table").getByText("delivered").waitFor();
  await look(customer, "portal-webhook");
  await customer.go("/portal/webhooks");
  await customer.page.getByRole("link", { name: `${shop.url}/grace` }).waitFor();
  const others = await customer.page.getByRole("link", { name: `${shop.url}/hooks` }).count();
  if (others !== 0) throw new Error("a customer sees another's webhook");
  await look(customer, "portal-webhooks");
  await customer.go("/console/");
  await customer.heading("Sign in");
  await customer.leave();
}
