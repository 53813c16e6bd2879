//! Zoom's own receiver and client (npm `@zoom/rivet`) judge the simulator, and its types judge what the
//! simulator says and what Tidings sends.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "zoom/carrier.rs"]
mod carrier;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tidings_providers::draft::{EventDraft, Notify, Scope};
use tidings_providers::zoom::write;
use tidings_simulators::pushes::Push;
use tidings_simulators::server::Setup;
use tidings_simulators::zoom::{Departure, Zoom};
use tokio::io::{AsyncBufReadExt, BufReader};

const HOST: &str = "host@example.com";

fn script(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vendor")).join(name)
}

/// Everything that one can see happen to meetings and users.
async fn story(zoom: &Zoom) {
    let series = json!({
        "topic": "Weekly", "type": 8, "start_time": "2027-03-01T09:00:00Z", "duration": 30,
        "timezone": "Europe/Berlin",
        "recurrence": { "type": 2, "repeat_interval": 1, "weekly_days": "2", "end_times": 3 },
        "settings": { "meeting_invitees": [{ "email": "guest@example.com" }] },
    });
    let id = zoom.create(HOST, &series);
    zoom.pushes().settled().await;
    let meeting = zoom.meeting(id).unwrap();
    let occurrence = |at: usize| meeting["occurrences"][at]["occurrence_id"].as_str().unwrap();
    zoom.edit_occurrence(id, occurrence(0), &json!({ "duration": 45 }));
    zoom.pushes().settled().await;
    zoom.delete_occurrence(id, occurrence(1));
    zoom.pushes().settled().await;
    zoom.edit(id, &json!({ "topic": "Söme “text” 🎈 / \\ \u{2028}", "agenda": "<b> & </b>" }));
    zoom.pushes().settled().await;
    let single = json!({ "topic": "Once", "type": 2, "start_time": "2027-03-01T09:00:00Z" });
    let other = zoom.create(HOST, &single);
    zoom.pushes().settled().await;
    zoom.delete(other);
    zoom.pushes().settled().await;
    zoom.recover(other);
    zoom.pushes().settled().await;
    zoom.delete(other);
    zoom.pushes().settled().await;
    zoom.purge(other);
    zoom.pushes().settled().await;
    zoom.depart("leaver@example.com", Departure::Deactivated);
    zoom.pushes().settled().await;
    zoom.deauthorize("leaver@example.com");
    zoom.pushes().settled().await;
}

const TOLD: [(&str, &str, &str); 11] = [
    ("meeting.created", "meetings", "MeetingCreatedEvent"),
    ("meeting.updated", "meetings", "MeetingUpdatedEvent"),
    ("meeting.deleted", "meetings", "MeetingDeletedEvent"),
    ("meeting.updated", "meetings", "MeetingUpdatedEvent"),
    ("meeting.created", "meetings", "MeetingCreatedEvent"),
    ("meeting.deleted", "meetings", "MeetingDeletedEvent"),
    ("meeting.recovered", "meetings", "MeetingRecoveredEvent"),
    ("meeting.deleted", "meetings", "MeetingDeletedEvent"),
    ("meeting.permanently_deleted", "meetings", "MeetingPermanentlyDeletedEvent"),
    ("user.deactivated", "users", "UserDeactivatedEvent"),
    ("app_deauthorized", "marketplace", "AppDeauthorizedEvent"),
];

#[tokio::test]
async fn zooms_own_receiver_and_client_take_the_simulator_for_zoom() {
    let zoom = Zoom::start(&Setup::default()).await.unwrap();
    zoom.oauth().add_person(tidings_simulators::oauth::Person::new("leaver@example.com"));
    let mut child = tokio::process::Command::new("node")
        .arg(script("zoom_rivet.mjs"))
        .env("ZOOM_SECRET", zoom.webhook_secret())
        .env("ZOOM_API", zoom.api_url().as_str())
        .env("ZOOM_TOKEN", zoom.oauth().tokens_for(HOST, &[]).0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("node: {error}: run ./test once, which installs it"));
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let listening: Value = serde_json::from_str(&said.next_line().await.unwrap().unwrap()).unwrap();
    let url = format!("http://127.0.0.1:{}/zoom/events", listening["port"]);

    assert!(zoom.subscribe(&url).await, "it answers the validation");
    story(&zoom).await;
    let sent = zoom.pushes().sent();
    assert!(sent.iter().all(|pushed| pushed.statuses == [Some(200)]), "all found genuine");
    // The receiver is no yes-man.
    let Push { url, mut headers, body } = sent.last().unwrap().push.clone();
    headers.iter_mut().filter(|(name, _)| name == "x-zm-signature").for_each(|(_, value)| {
        let last = if value.ends_with('0') { "1" } else { "0" };
        value.replace_range(value.len() - 1.., last);
    });
    let forged = zoom.pushes().deliver(Push { url, headers, body }).await.unwrap();
    assert_eq!(forged.status, 400);

    drop(child.stdin.take());
    let told: Value = serde_json::from_str(&said.next_line().await.unwrap().unwrap()).unwrap();
    assert!(child.wait().await.unwrap().success());
    let events = told["events"].as_array().unwrap();
    let names: Vec<&str> = events.iter().map(|one| one["event"].as_str().unwrap()).collect();
    assert_eq!(names[..TOLD.len()], TOLD.map(|(event, ..)| event));
    assert_eq!(told["statuses"], json!([201, 204, 200, 200, 204, 204]));
    assert_eq!(told["topic"], "Renamed");
    assert!(told["missing"].as_str().unwrap().starts_with("[404/3001]"), "{}", told["missing"]);

    let pushes = events.iter().zip(TOLD).map(
        |(one, (_, module, kind))| json!({ "module": module, "type": kind, "value": one["body"] }),
    );
    let answers = told["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!({ "module": "meetings", "type": one["type"], "value": one["value"] }));
    judge(&pushes.chain(answers).collect::<Vec<_>>(), true);
}

#[tokio::test]
async fn what_tidings_sends_is_of_the_types_that_zoom_publishes() {
    let zoom = Zoom::start(&Setup::default()).await.unwrap();
    let settings = carrier::settings(&zoom);
    let draft = |json: Value| EventDraft::from_json(&json).unwrap();
    let new = draft(json!({
        "title": "Plan", "description": "About", "start": "2027-03-26T09:00:00Z", "end": "2027-03-26T09:45:00Z",
        "recurrence": "FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", "privacy": "private",
        "attendees": [{ "email": "b@example.com", "name": "B" }],
    }));
    let request = write::create_request(&settings, &new).unwrap();
    let created = json!({ "module": "meetings", "type": "MeetingsCreateMeetingRequestBody",
                          "value": body(&request) });
    let (token, _) = zoom.oauth().tokens_for(HOST, &[]);
    let id = write::parse_created(&carrier::carry(request, Some(&token)).await).unwrap();
    let request = tidings_providers::zoom::meetings::get_request(&settings, &id);
    let items = carrier::carry(request, Some(&token)).await;
    let items = tidings_providers::zoom::meetings::parse_meeting(&items).unwrap();
    let changed = draft(json!({ "title": null, "end": "2027-03-26T10:00:00Z", "attendees": null }));
    let (key, event) = (&items[0].key, &items[0].event);
    let updated = write::update_request(&settings, key, Scope::All, &changed, event).unwrap();
    let updated = json!({ "module": "meetings", "type": "MeetingsUpdateMeetingRequestBody",
                          "value": body(&updated) });
    let deleted = write::delete_request(&settings, key, Scope::All, Notify::All, event).unwrap();
    let asked: serde_json::Map<String, Value> = deleted
        .url
        .query_pairs()
        .map(|(name, value)| (name.into(), (value == "true").into()))
        .collect();
    let deleted =
        json!({ "module": "meetings", "type": "MeetingsDeleteMeetingQueryParams", "value": asked });
    judge(&[created, updated, deleted], true);
    let wrong = json!({ "module": "meetings", "type": "MeetingsCreateMeetingRequestBody",
                        "value": { "title": "the name is topic" } });
    judge(&[wrong], false);
}

fn body(request: &tidings_providers::http::Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn judge(lines: &[Value], good: bool) {
    let mut child = Command::new("node")
        .arg(script("zoom_types.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("node: {error}: run ./test once, which installs it"));
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), good, "{complained}");
}
