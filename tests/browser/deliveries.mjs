// What happened to every notification: seen as it happens, read when it failed, sent again, replayed.

import { look } from "./look.mjs";
import { CALDAV, call, meeting, newCalendar } from "./world.mjs";

/// A calendar of a real server, connected by a form; a change in it appears by itself.
export async function connectCalendar({ owner, app }) {
  await newCalendar();
  await owner.go(`/console/apps/${app}/accounts`);
  await owner.follow("Connect account");
  await owner.follow("Connect CalDAV server");
  await owner.fill("Server", CALDAV);
  await owner.fill("User name", "u");
  await owner.fill("Password", "a wrong one");
  await owner.press("Connect");
  await owner.sees("The account is connected.");
  // What the server says about it is told without loading the page anew.
  await owner.sees("The account is inactive:");
  await look(owner, "account-inactive");
  await owner.fill("New password", "secret");
  await owner.press("Reconnect");
  await owner.sees("The account is saved.");
  // Its first reading ends while the page is open.
  await owner.page.getByRole("cell", { name: "work" }).first().waitFor();
  await owner.page.locator("dl").getByText("active").waitFor();
  await look(owner, "account-connected");
}

export async function seenLive({ owner, app, shop }) {
  await owner.go(`/console/apps/${app}/changes`);
  await mark(owner);
  await meeting("review", "Design review");
  await owner.page.getByRole("link", { name: "event.created" }).waitFor();
  await isMarked(owner);
  await shop.arrived("event.created");
  await look(owner, "changes");
  await owner.follow("event.created");
  await owner.sees("Design review");
  await owner.page.getByRole("table").getByText("delivered").waitFor();
  await look(owner, "change");
}

/// The receiver fails: the page says why and what to do, and follows what becomes of it.
export async function failedAndResent({ owner, app, hook, shop }) {
  await owner.go(`/console/apps/${app}/webhooks/${hook}`);
  await owner.page.getByRole("table").getByText("delivered").waitFor();
  shop.status = 500;
  await mark(owner);
  await owner.press("Send test event");
  await owner.sees("A test event is on its way.");
  const failing = owner.page.getByRole("row").filter({ hasText: "retrying" });
  await failing.waitFor();
  await look(owner, "webhook-failing");
  await failing.getByRole("link").click();
  await owner.heading("Delivery");
  await owner.sees("Likely cause:");
  await owner.sees("What to do:");
  await owner.sees("the database of the shop is being moved");
  await look(owner, "delivery-failed");
  shop.status = 200;
  await owner.press("Resend");
  await owner.sees("The delivery is sent again.");
  await owner.page.locator("dl").getByText("delivered").waitFor();
  await look(owner, "delivery-delivered");
  await byHand({ owner });
}

/// As curl, and a signature that is checked by pasting.
async function byHand({ owner }) {
  const { page } = owner;
  const delivery = page.url();
  await owner.press("As curl, signed now");
  await owner.sees("curl -i -X POST");
  await look(owner, "delivery-curl");
  await page.goto(delivery);
  await owner.follow("Verify a signature");
  await look(owner, "delivery-verify");
  await owner.fill("Secret", `whsec_${btoa("a secret that signs nothing here")}`);
  await owner.press("Verify");
  await page.getByRole("alert").waitFor();
  await look(owner, "delivery-verify-refused");
}

/// What happened before goes out again: counted first, then followed to its end.
export async function replayed({ owner, app, hook, shop }) {
  for (let n = 1; n <= 30; n++) {
    const change = { type: "invoice.paid", data: { invoice: `in_${n}`, amount: 100 * n } };
    await call("POST", "/changes", change, app);
  }
  await shop.arrived("in_30");
  const before = shop.received.length;
  await owner.go(`/console/apps/${app}/webhooks/${hook}`);
  await owner.follow("Replay");
  await owner.heading("Replay");
  await look(owner, "replay");
  await owner.press("Count first");
  await owner.sees("would be sent to");
  await look(owner, "replay-count");
  await owner.press("Start replay");
  await owner.sees("The replay has begun.");
  await owner.page.getByRole("progressbar").waitFor();
  await owner.page.locator("section[data-live]").getByText("done").waitFor();
  await look(owner, "replay-done");
  if (shop.received.length <= before) throw new Error("nothing was sent again");
}

/// A page that is loaded anew loses this.
function mark({ page }) {
  return page.evaluate(() => { document.documentElement.dataset.seen = "yes"; });
}

async function isMarked({ page }) {
  const marked = await page.evaluate(() => document.documentElement.dataset.seen === "yes");
  if (!marked) throw new Error("the page was loaded anew");
}
