//! What a server says when it refuses, in plain words, and the exit status for it.

use http::StatusCode;
use serde::Deserialize;
use url::Url;

use crate::error::Error;

/// The parts of `application/problem+json` (RFC 9457) that people are told.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
    errors: Vec<Place>,
    request_id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    pointer: String,
    detail: String,
}

/// The error behind an answer that is not a success.
pub(super) fn error(status: StatusCode, body: &[u8], server: &Url) -> Error {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let words = words(status, &problem, server);
    match status {
        StatusCode::UNAUTHORIZED => {
            let cure = "give another one with TIDINGS_KEY or --key-file, or run `tidings login`";
            Error::Refused(format!("{server} does not take this key: {cure}"))
        }
        StatusCode::NOT_FOUND => Error::NotFound(words),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Error::Unreachable(words),
        _ if status.is_client_error() => Error::Refused(words),
        _ => Error::Failed(words),
    }
}

fn words(status: StatusCode, problem: &Problem, server: &Url) -> String {
    let said = [&problem.detail, &problem.title].into_iter().find(|text| !text.is_empty());
    let Some(said) = said else {
        return format!("{server} answered {status}: is this a Tidings server?");
    };
    let mut words = said.clone();
    for place in problem.errors.iter().filter(|place| !place.pointer.is_empty()) {
        words += &format!("\n  {}: {}", place.pointer, place.detail);
    }
    if status.is_server_error() && !problem.request_id.is_empty() {
        words += &format!(" (request {})", problem.request_id);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_exit_status_and_plain_words() {
        let server: Url = "http://127.0.0.1:8480/".parse().unwrap();
        let said = br#"{"title":"t","detail":"two places are wrong","errors":[
            {"pointer":"/url","detail":"is not a URL"},{"pointer":"","detail":"x"}],"request_id":"req_1"}"#;
        for (status, exit, words) in [
            (400, 4, "two places are wrong\n  /url: is not a URL"),
            (401, 4, "does not take this key"),
            (403, 4, "two places are wrong"),
            (404, 3, "two places are wrong"),
            (409, 4, "two places are wrong"),
            (410, 4, "two places are wrong"),
            (422, 4, "  /url: is not a URL"),
            (429, 5, "two places are wrong"),
            (500, 1, "(request req_1)"),
            (503, 5, "two places are wrong"),
            (507, 1, "two places are wrong"),
        ] {
            let error = error(StatusCode::from_u16(status).unwrap(), said, &server);
            assert!(error.to_string().contains(words), "{status}: {error}");
            assert_eq!(error.status(), exit, "{status}");
        }
        let stranger = error(StatusCode::BAD_GATEWAY, b"<html>", &server).to_string();
        assert!(stranger.contains("is this a Tidings server?"), "{stranger}");
    }
}
