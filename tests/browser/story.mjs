// The console's story in a real browser, against a running Tidings.
//
// Environment:
//   TIDINGS_URL    such as http://127.0.0.1:8480
//   TIDINGS_KEY    its owner key
//   TIDINGS_SETUP  the setup link that it printed
//   CALDAV_URL     a CalDAV server that lets in u with the password secret
//   SCREENSHOTS    where pictures go; none without
//   CHROMIUM       the browser, /usr/bin/chromium without

import { launch, Visitor } from "./browser.mjs";
import { connectPages } from "./connect_pages.mjs";
import { connectCalendar, failedAndResent, replayed, seenLive } from "./deliveries.mjs";
import { everyPage, readWithoutJavaScript } from "./every_page.mjs";
import { looked } from "./look.mjs";
import { createKey, createType, onlyLooks, tryInbox } from "./things.mjs";
import { faultsAreNoticed } from "./planted.mjs";
import { endedElsewhere, secondFactor, setUp, signOutAndIn } from "./signing_in.mjs";
import {
  createApp,
  createByKeyboard,
  createWebhook,
  createWithoutJavaScript,
  portal,
  rotateSecret,
} from "./webhooks.mjs";
import { BASE } from "./world.mjs";

const PARTS = {
  faultsAreNoticed,
  setUp,
  signOutAndIn,
  endedElsewhere,
  createApp,
  createWebhook,
  connectCalendar,
  seenLive,
  failedAndResent,
  replayed,
  rotateSecret,
  createByKeyboard,
  createWithoutJavaScript,
  portal,
  tryInbox,
  createType,
  createKey,
  onlyLooks,
  everyPage,
  readWithoutJavaScript,
  secondFactor,
  connectPages,
};

const browser = await launch();
// What a part learns for those after it.
const story = { browser, owner: await Visitor.enter(browser, { base: BASE, name: "owner" }) };
let failed = false;
for (const [name, part] of Object.entries(PARTS)) {
  const begun = Date.now();
  try {
    await part(story);
    console.log(`${name}: ok, ${Date.now() - begun} ms`);
  } catch (error) {
    failed = true;
    console.log(`${name}: at ${story.owner.page.url()}: ${error.stack}`);
    break;
  }
}
await browser.close();
console.log(`${looked()} pages looked at`);
for (const problem of Visitor.problems) console.log(`problem: ${problem}`);
// Receivers may still listen.
process.exit(failed || Visitor.problems.length > 0 ? 1 : 0);
