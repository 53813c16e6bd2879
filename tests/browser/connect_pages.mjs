// The pages on which an end user of an app gives consent, as the Connect dialect serves them.

import { Visitor } from "./browser.mjs";
import { look } from "./look.mjs";
import { BASE, CALDAV, call, receiver } from "./world.mjs";

export async function connectPages({ browser }) {
  const app = (await call("POST", "/apps", { name: "Consent" })).id;
  const home = await receiver();
  await call("PATCH", `/apps/${app}`, { settings: { redirect_uris: [`${home.url}/callback`] } });
  const person = await Visitor.enter(browser, { base: BASE, friends: [home.url], name: "end user" });
  const { page } = person;

  const query = new URLSearchParams({ client_id: app, user_id: "ada", response_type: "code", scope: "read" });
  await person.go(`/api/oauth/authorize?${query}`);
  await person.heading("Consent asks to read your calendars");
  await look(person, "connect-select");
  await person.follow("CalDAV");
  await look(person, "connect-login");
  await person.fill("Server address", CALDAV);
  await person.fill("User name", "u");
  await person.fill("App password", "secret");
  await person.press("Connect");
  await person.sees(": connected");
  await look(person, "connect-connected");
  await person.press("Continue");
  await page.waitForURL(`${home.url}/callback?**`);
  await person.expecting(400, () => person.go("/api/oauth/select"));
  await person.heading("This did not work");
  await look(person, "connect-over");
  await person.leave();
  home.close();
}
