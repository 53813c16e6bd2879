// The vendor's client (npm pryv) through the story of its guide: a person with an app that notifies a
// doctor's service of steps.
//
// Environment: PRYV_SERVICE is the URL of the service information, PRYV_USER and PRYV_PASSWORD a person,
// PRYV_HOOK a URL to notify. Each line of standard input asks for one step; says the step's outcome as one
// line of JSON.

import { createInterface } from "node:readline";
import pryv from "pryv";

const { PRYV_SERVICE, PRYV_USER, PRYV_PASSWORD, PRYV_HOOK } = process.env;

const service = new pryv.Service(PRYV_SERVICE);
let person, app, doctor, webhook, event, since;

const steps = {
  // The person logs in and lets an app in; the app lets the doctor's service in and creates the webhook.
  async begin() {
    const exists = await service.userExists(PRYV_USER);
    person = await service.login(PRYV_USER, PRYV_PASSWORD, "my-app-id");
    const health = { streamId: "health", defaultName: "Health" };
    const permissions = [{ ...health, level: "contribute" }];
    const given = await person.apiOne(
      "accesses.create",
      { name: "steps", type: "app", permissions },
      "access",
    );
    app = new pryv.Connection(given.apiEndpoint);
    const read = { name: "doctor", permissions: [{ ...health, level: "read" }] };
    const shared = await app.post("accesses", read);
    doctor = new pryv.Connection(shared.access.apiEndpoint);
    webhook = await app.apiOne("webhooks.create", { url: PRYV_HOOK }, "webhook");
    since = (await doctor.get("events", { modifiedSince: 0 })).meta.serverTime;
    const username = await doctor.username();
    const info = await service.info();
    return { exists, username, webhook, info, personal: (await person.accessInfo()).type };
  },

  // The app records steps.
  async record() {
    const steps = { streamId: "health", type: "count/steps", content: 10000 };
    event = await app.apiOne("events.create", steps, "event");
    return event;
  },

  // The doctor's service fetches what changed since it last did.
  async fetch() {
    const query = { modifiedSince: since, includeDeletions: true, streams: ["health"] };
    const answer = await doctor.get("events", query);
    since = answer.meta.serverTime;
    const streamed = [];
    await doctor.getEventsStreamed({ fromTime: 0 }, (event) => streamed.push(event));
    return { events: answer.events, eventDeletions: answer.eventDeletions, streamed };
  },

  async forget() {
    await app.apiOne("events.delete", { id: event.id }, "event");
    return await app.apiOne("events.delete", { id: event.id }, "eventDeletion");
  },

  async webhook() {
    return (await app.get("webhooks/" + webhook.id)).webhook;
  },

  async test() {
    return await app.post("webhooks/" + webhook.id + "/test", {});
  },

  async reactivate() {
    const update = { id: webhook.id, update: { state: "active" } };
    return await app.apiOne("webhooks.update", update, "webhook");
  },

  // What each side may not do, as the client sees it.
  async refuse() {
    const refused = async (call) => {
      try {
        return await call;
      } catch (error) {
        return { error: error.innerObject ?? { id: String(error) } };
      }
    };
    return [
      await person.post("webhooks", { url: PRYV_HOOK }),
      await refused(app.apiOne("webhooks.create", { url: PRYV_HOOK })),
      await doctor.post("events", { streamId: "health", type: "count/steps", content: 1 }),
      await new pryv.Connection(doctor.endpoint.replace("//", "//nonsense@")).get("events"),
    ].map((answer) => answer.error.id);
  },

  async end() {
    const deleted = await app.apiOne("webhooks.delete", { id: webhook.id }, "webhookDeletion");
    const left = (await app.get("webhooks")).webhooks;
    const revoked = await doctor.revoke();
    const again = await doctor.get("events");
    return { deleted, left, revoked, again: again.error.id };
  },
};

for await (const step of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ step, value: await steps[step]() }));
}
