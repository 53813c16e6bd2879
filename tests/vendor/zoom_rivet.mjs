// Zoom's own receiver and client (npm @zoom/rivet) against a simulator of Zoom.
//
// Environment: ZOOM_SECRET signs pushes, ZOOM_API is the API's base, ZOOM_TOKEN a bearer token.
// Says {"port"} once the receiver listens (at /zoom/events). When standard input ends, works through
// the API as a program of Zoom's customers would, then says {"events", "answers"}: the pushes that the
// receiver found genuine, and what the client got, each by the name of Zoom's type for it.

import { createInterface } from "node:readline";
import { HttpReceiver, MeetingsEndpoints } from "@zoom/rivet/meetings";

const { ZOOM_SECRET, ZOOM_API, ZOOM_TOKEN } = process.env;

const events = [];
const receiver = new HttpReceiver({ port: 0, webhooksSecretToken: ZOOM_SECRET });
receiver.init({ eventEmitter: { emit: async (event, body) => void events.push({ event, body }) } });
const server = await receiver.start();
console.log(JSON.stringify({ port: server.address().port }));

for await (const _ of createInterface({ input: process.stdin })) {
  // Nothing is expected: the end is the signal.
}

const { meetings } = new MeetingsEndpoints({
  auth: { getToken: () => ZOOM_TOKEN },
  baseUrl: ZOOM_API,
});
const answers = [];
const body = {
  topic: "By Zoom's client",
  type: 8,
  start_time: "2027-03-01T09:00:00Z",
  timezone: "Europe/Berlin",
  duration: 30,
  recurrence: { type: 2, repeat_interval: 1, weekly_days: "2", end_times: 3 },
  settings: { meeting_invitees: [{ email: "guest@example.com" }] },
};
const created = await meetings.createMeeting({ path: { userId: "me" }, body });
answers.push({ type: "MeetingsCreateMeetingResponse", value: created.data });
const path = { meetingId: created.data.id };
const updated = await meetings.updateMeeting({ path, body: { topic: "Renamed" }, query: {} });
const listed = await meetings.listMeetings({ path: { userId: "me" }, query: { type: "upcoming" } });
answers.push({ type: "MeetingsListMeetingsResponse", value: listed.data });
const query = { show_previous_occurrences: true };
const read = await meetings.getMeeting({ path, query });
answers.push({ type: "MeetingsGetMeetingResponse", value: read.data });
const occurrence_id = read.data.occurrences[1].occurrence_id;
const cancelled = await meetings.deleteMeeting({ path, query: { occurrence_id } });
const deleted = await meetings.deleteMeeting({ path, query: {} });
const missing = await meetings.getMeeting({ path, query }).catch((error) => error.message);

console.log(
  JSON.stringify({
    events,
    answers,
    topic: read.data.topic,
    statuses: [created, updated, listed, read, cancelled, deleted].map((one) => one.statusCode),
    missing,
  }),
);
process.exit(0);
