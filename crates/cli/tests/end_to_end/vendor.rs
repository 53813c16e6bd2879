//! Somebody with a calendar client, and other people's programs that judge our wire.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use tidings_core::egress::EgressPolicy;
use tidings_engine::egress::{Budget, Egress, Request, Resolver, Tls};
use tidings_testkit::caldav::CalendarServer;

pub(crate) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The Python of the venv that `./test` makes.
pub(crate) fn python() -> PathBuf {
    let venv = std::env::var_os("TIDINGS_VENV").map_or_else(|| root().join(".venv"), PathBuf::from);
    venv.join("bin/python")
}

/// Runs a program to its end with this input; it must succeed. Returns what it said.
pub(crate) fn run(program: &mut Command, input: &str) -> String {
    let named = format!("{program:?}");
    let child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{named}: {error}: run ./test once, which installs it"));
    let mut child = child;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{named}\n{said}\n{complained}");
    said
}

/// One edit at a calendar server, by the user `u` with the password `secret`.
pub(crate) async fn edit(server: &CalendarServer, method: &str, path: &str, body: &str) {
    let egress = Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public());
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic dTpzZWNyZXQ="));
    if method == "PUT" {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
    }
    let request = Request {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        url: &egress.policy().vet_url(&server.url(path)).unwrap(),
        headers,
        body: Bytes::from(body.to_owned()),
        budget: Budget::provider(),
    };
    let attempted = egress.send(request).await;
    let status = attempted.status().unwrap_or_default();
    assert!((200..300).contains(&status), "{method} {path}: {attempted:?}");
}

pub(crate) fn event(uid: &str, title: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Tidings//test//EN\r\nBEGIN:VEVENT\r\n\
         UID:{uid}\r\nDTSTAMP:20260301T090000Z\r\nDTSTART:20260312T090000Z\r\n\
         DTEND:20260312T100000Z\r\nSUMMARY:{title}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}
