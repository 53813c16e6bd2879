//! Google's own client drives the simulator, and Google's own description judges requests.
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tidings_simulators::google::{CLIENT_ID, CLIENT_SECRET, Google, PERSON};
use tidings_simulators::server::Setup;
use tidings_testkit::receiver::TestReceiver;

/// Runs a script of `tests/vendor` in the venv that `./test` makes.
async fn run(script: &'static str, input: String) -> Output {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let venv = std::env::var_os("TIDINGS_VENV").map_or_else(|| root.join(".venv"), PathBuf::from);
    let child = Command::new(venv.join("bin/python"))
        .arg(root.join("tests/vendor").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child
        .unwrap_or_else(|error| panic!("{script}: {error}: run ./test once, which installs it"));
    // The script asks a server of this process, so that the process must not wait for it.
    let ended = tokio::task::spawn_blocking(move || {
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    ended.await.unwrap()
}

fn counts(output: &Output) -> serde_json::Map<String, Value> {
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    serde_json::from_slice(&output.stdout).expect("it prints one JSON object")
}

#[tokio::test]
async fn googles_own_client_finds_all_as_documented() {
    let google = Google::start(&Setup::default()).await.unwrap();
    let receiver = TestReceiver::start().await;
    google.pushes().route("https://receiver.test", &receiver.url(""));
    let (_, refresh) = google.oauth().tokens_for(
        PERSON,
        &[
            "https://www.googleapis.com/auth/calendar.events",
            "https://www.googleapis.com/auth/calendar.calendarlist",
            "https://www.googleapis.com/auth/calendar.calendars",
        ],
    );
    let input = json!({
        "api": google.api_url().as_str(), "token_uri": google.token_url().as_str(), "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET, "refresh_token": refresh,
        "receiver": "https://receiver.test/google",
    });
    let called = counts(&run("google_calendar_client.py", input.to_string()).await);
    for method in [
        "calendarList.delete",
        "calendarList.get",
        "calendarList.insert",
        "calendarList.list",
        "calendarList.patch",
        "calendarList.watch",
        "calendars.delete",
        "calendars.get",
        "calendars.insert",
        "calendars.patch",
        "channels.stop",
        "events.delete",
        "events.get",
        "events.import",
        "events.insert",
        "events.instances",
        "events.list",
        "events.patch",
        "events.update",
        "events.watch",
    ] {
        assert!(called.contains_key(&format!("calendar.{method}")), "{method}: {called:?}");
    }
    pushes_are_as_documented(&google, &receiver).await;

    // What Google's client sends is right by Google's description, or the judge is wrong.
    // The script also asks wrongly on purpose, and is refused.
    let lines = google.log().json_lines();
    let taken: Vec<&str> = lines.lines().filter(|line| line.contains(r#""status":20"#)).collect();
    let judged = counts(&run("google_requests.py", taken.join("\n")).await);
    assert!(judged.len() >= 20, "{judged:?}");
}

/// The script opened a channel for events and one for the list; each has its sync message and one push.
async fn pushes_are_as_documented(google: &Google, receiver: &TestReceiver) {
    google.pushes().settled().await;
    let received = receiver.wait_for(4, Duration::from_secs(10)).await;
    let seen: Vec<[&str; 3]> = received
        .iter()
        .map(|push| {
            assert_eq!((push.method.as_str(), push.path.as_str()), ("POST", "/google"));
            assert_eq!(push.header("x-goog-channel-token"), Some("secret"));
            assert!(push.body.is_empty() && push.header("content-length") == Some("0"));
            assert!(push.header("x-goog-channel-expiration").unwrap().ends_with(" GMT"));
            ["x-goog-channel-id", "x-goog-resource-state", "x-goog-message-number"]
                .map(|name| push.header(name).unwrap())
        })
        .collect();
    let (first, second) = (seen[0][0], seen[1][0]);
    let states: Vec<_> = seen.iter().map(|[channel, state, _]| (*channel, *state)).collect();
    let expected = [(first, "sync"), (second, "sync"), (first, "exists"), (second, "exists")];
    assert_eq!(states, expected);
    assert_eq!((seen[0][2], seen[1][2]), ("1", "1"));
    assert!(seen[2][2].parse::<u64>().unwrap() > 1);
}

#[tokio::test]
async fn a_request_that_is_not_as_described_is_found() {
    let times = json!({
        "start": { "dateTime": "2026-03-12T09:00:00", "timeZone": "Europe/Berlin" },
        "end": { "dateTime": "2026-03-12T10:00:00+01:00" },
    });
    let with = |name: &str, value: Value| {
        let mut body = times.clone();
        body[name] = value;
        body
    };
    let (events, none) = ("/calendar/v3/calendars/a%40b.c/events", Value::Null);
    let watch = json!({ "id": "x", "type": "web_hook", "address": "https://x", "expiration": "5" });
    let mut number = watch.clone();
    number["expiration"] = json!(5);
    for (method, path, query, body, complaint) in [
        ("GET", events, json!([["maxResults", "5"], ["singleEvents", "false"]]), &none, None),
        ("POST", events, json!([["sendUpdates", "all"]]), &times, None),
        ("POST", "/calendar/v3/calendars/a/events/watch", json!([]), &watch, None),
        ("PATCH", &format!("{events}/x"), json!([]), &json!({ "location": null }), None),
        ("GET", "/calendar/v3/calendars/a/evnts", json!([]), &none, Some("no such method")),
        ("GET", events, json!([["timemin", "x"]]), &none, Some("unknown parameter 'timemin'")),
        ("GET", events, json!([["maxResults", "0"]]), &none, Some("out of range")),
        ("GET", events, json!([["maxResults", "many"]]), &none, Some("no integer")),
        ("GET", events, json!([["showDeleted", "1"]]), &none, Some("no boolean")),
        ("GET", events, json!([["timeMin", "2026-03-12"]]), &none, Some("no time of RFC 3339")),
        ("GET", events, json!([["orderBy", "start"]]), &none, Some("none of")),
        ("GET", events, json!([["q", "a"], ["q", "b"]]), &none, Some("given twice")),
        ("GET", events, json!([]), &times, Some("takes no body")),
        ("POST", events, json!([]), &none, Some("needs a JSON object")),
        ("POST", events, json!([]), &json!({ "summary": "x" }), Some("requires 'start'")),
        ("POST", events, json!([]), &with("title", json!("x")), Some("unknown member 'title'")),
        ("POST", events, json!([]), &with("summary", json!(5)), Some("is no string")),
        ("POST", events, json!([]), &with("location", none.clone()), Some("only a patch")),
        ("POST", events, json!([]), &with("htmlLink", json!("x")), Some("read-only")),
        ("POST", events, json!([]), &with("recurrence", json!("RRULE")), Some("is no array")),
        (
            "POST",
            events,
            json!([]),
            &with("start", json!({ "dateTime": "2026-03-12T09:00:00" })),
            Some("without timeZone"),
        ),
        ("POST", "/calendar/v3/calendars/a/events/watch", json!([]), &number, Some("is no string")),
        ("POST", "/calendar/v3/channels/stop", json!([]), &watch, Some("requires 'resourceId'")),
    ] {
        let line = json!({ "method": method, "path": path, "query": query, "body": body });
        let output = run("google_requests.py", format!("{line}\n")).await;
        let said = String::from_utf8_lossy(&output.stderr);
        match complaint {
            None => assert!(output.status.success(), "{line}: {said}"),
            Some(complaint) => {
                assert!(!output.status.success() && said.contains(complaint), "{line}: {said}");
            }
        }
    }
    let empty = run("google_requests.py", String::new()).await;
    assert!(!empty.status.success(), "a judge that judged nothing says so");
}
