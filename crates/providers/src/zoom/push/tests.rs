use http::HeaderValue;
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "zoom-secret";
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn headers(signature: &str, timestamp: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE, HeaderValue::from_str(signature).unwrap());
    headers.insert(TIMESTAMP, HeaderValue::from_str(timestamp).unwrap());
    headers
}

fn sent_at(seconds: i64, body: &[u8]) -> Result<Push, Refused> {
    let headers = headers(&signature(SECRET, seconds, body), &seconds.to_string());
    read(SECRET, &headers, body, NOW)
}

fn sent(body: &Value) -> Result<Push, Refused> {
    sent_at(NOW.unix_seconds(), body.to_string().as_bytes())
}

fn meeting(event: &str, object: &Value) -> Value {
    json!({
        "event": event,
        "event_ts": NOW.0,
        "payload": { "account_id": "A", "operator": "a@example.com", "operator_id": "OP",
                     "object": object },
    })
}

#[test]
fn the_signature_is_what_others_compute() {
    // echo -n 'v0:1658940994:{"event":"x"}' | openssl dgst -sha256 -hmac zoom-secret
    assert_eq!(
        signature(SECRET, 1_658_940_994, br#"{"event":"x"}"#),
        "v0=0df1ee93974e9fe65e18f55c0235d6df03a54a0b7693c897f2d3178e07e7672b"
    );
    // echo -n qgg8vlvZRS6UYooatFL8Aw | openssl dgst -sha256 -hmac zoom-secret
    assert_eq!(
        validation(SECRET, "qgg8vlvZRS6UYooatFL8Aw").encrypted_token,
        "b17f0320a1322a509340a1a835b3d9edbc491f0b0790ed2d20d0604d39dfe922"
    );
}

#[test]
fn the_signature_covers_the_raw_bytes_not_a_json_made_anew() {
    let body = b"{ \"event\" : \"meeting.created\",\n \"payload\":{\"object\":{\"id\":7,\"host_id\":\"H\"}} }";
    assert!(matches!(sent_at(NOW.unix_seconds(), body), Ok(Push::Event { .. })));
    let compact = serde_json::from_slice::<Value>(body).unwrap().to_string();
    let over_compact = signature(SECRET, NOW.unix_seconds(), compact.as_bytes());
    let headers = headers(&over_compact, &NOW.unix_seconds().to_string());
    assert_eq!(read(SECRET, &headers, body, NOW), Err(Refused::Forged));
}

#[test]
fn a_push_that_is_not_zooms_is_refused() {
    let body = br#"{"event":"meeting.created","payload":{}}"#;
    let seconds = NOW.unix_seconds();
    let good = signature(SECRET, seconds, body);
    let now = seconds.to_string();
    let later = (seconds + 1).to_string();
    let other_key = signature("other", seconds, body);
    for (signature, timestamp, why) in [
        (other_key.as_str(), now.as_str(), Refused::Forged),
        (&good, &later, Refused::Forged),
        (&good[..good.len() - 2], &now, Refused::Forged),
        (&good[..good.len() - 1], &now, Refused::Unsigned),
        (&good.replace("v0=", "v1="), &now, Refused::Unsigned),
        ("v0=", &now, Refused::Forged),
        ("", &now, Refused::Unsigned),
        (&good.replace("v0=", "v0=zz"), &now, Refused::Unsigned),
    ] {
        let got = read(SECRET, &headers(signature, timestamp), body, NOW);
        assert_eq!(got, Err(why), "{signature} {timestamp}");
    }
    assert_eq!(read(SECRET, &HeaderMap::new(), body, NOW), Err(Refused::Unsigned));
    let tampered = br#"{"event":"meeting.deleted","payload":{}}"#;
    assert_eq!(read(SECRET, &headers(&good, &now), tampered, NOW), Err(Refused::Forged));
}

#[test]
fn older_than_five_minutes_is_refused_and_so_is_the_future() {
    let body = br#"{"event":"x"}"#;
    for (age_s, expected) in [
        (0, Ok(Push::Ignored)),
        (300, Ok(Push::Ignored)),
        (301, Err(Refused::Stale)),
        (-300, Ok(Push::Ignored)),
        (-301, Err(Refused::Stale)),
        (i64::MIN / 4, Err(Refused::Stale)),
    ] {
        assert_eq!(sent_at(NOW.unix_seconds() - age_s, body), expected, "{age_s}");
    }
}

#[test]
fn a_validation_is_answered_with_the_token_and_its_hash() {
    let body = json!({ "event": "endpoint.url_validation", "event_ts": NOW.0,
                       "payload": { "plainToken": "abc_-9" } });
    assert_eq!(sent(&body), Ok(Push::Validation { plain_token: "abc_-9".into() }));
    let answer = serde_json::to_value(validation(SECRET, "abc_-9")).unwrap();
    assert_eq!(answer["plainToken"], "abc_-9");
    assert_eq!(answer["encryptedToken"].as_str().unwrap().len(), 64);
}

#[test]
fn a_validation_is_no_oracle_for_signatures() {
    let unsigned = br#"{"event":"endpoint.url_validation","payload":{"plainToken":"abc"}}"#;
    assert_eq!(read(SECRET, &HeaderMap::new(), unsigned, NOW), Err(Refused::Unsigned));
    for token in ["v0:1800000000:{}", "", &"a".repeat(129)] {
        let body =
            json!({ "event": "endpoint.url_validation", "payload": { "plainToken": token } });
        assert_eq!(sent(&body), Err(Refused::Malformed), "{token}");
    }
}

#[test]
fn every_meeting_event_wakes_the_host_and_who_did_it() {
    for event in ["created", "updated", "deleted", "permanently_deleted", "recovered"] {
        let event = format!("meeting.{event}");
        let object = json!({ "uuid": "u==", "id": 81_234_567_890_u64, "host_id": "H", "type": 2 });
        let expected = Push::Event {
            account_id: "A".into(),
            users: vec!["H".into(), "OP".into()],
            event: event.clone(),
            object_id: Some("81234567890".into()),
        };
        assert_eq!(sent(&meeting(&event, &object)), Ok(expected));
    }
}

#[test]
fn an_update_that_names_only_the_id_and_what_changed_wakes_who_did_it() {
    let body = meeting("meeting.updated", &json!({ "id": 7, "topic": "New" }));
    let Ok(Push::Event { users, .. }) = sent(&body) else { panic!("an event") };
    assert_eq!(users, ["OP"]);
}

#[test]
fn a_host_who_edits_is_named_once() {
    let body = meeting("meeting.created", &json!({ "id": 7, "host_id": "OP" }));
    let Ok(Push::Event { users, .. }) = sent(&body) else { panic!("an event") };
    assert_eq!(users, ["OP"]);
}

#[test]
fn a_user_who_is_gone_is_the_one_that_is_woken_not_the_admin() {
    for event in ["user.deactivated", "user.deleted", "user.disassociated"] {
        let body = meeting(event, &json!({ "id": "U1", "email": "u@example.com", "type": 2 }));
        let expected = Push::Event {
            account_id: "A".into(),
            users: vec!["U1".into()],
            event: event.into(),
            object_id: Some("U1".into()),
        };
        assert_eq!(sent(&body), Ok(expected));
    }
}

#[test]
fn deauthorization_names_the_user() {
    let body = json!({
        "event": "app_deauthorized",
        "payload": { "user_id": "U1", "account_id": "A", "client_id": "C",
                     "deauthorization_time": "2026-11-21T09:00:00Z", "signature": "s" },
    });
    let expected = Push::Deauthorized { account_id: "A".into(), user_id: "U1".into() };
    assert_eq!(sent(&body), Ok(expected));
}

#[test]
fn events_that_are_not_ours_are_ignored_not_refused() {
    for body in [
        meeting("meeting.participant_joined", &json!({ "id": 7, "host_id": "H" })),
        meeting("recording.completed", &json!({ "id": 7, "host_id": "H" })),
        json!({ "event": "meeting.created", "payload": { "object": { "id": 7 } } }),
    ] {
        assert_eq!(sent(&body), Ok(Push::Ignored), "{body}");
    }
}

#[test]
fn what_is_genuine_and_not_an_event_is_malformed() {
    for body in ["", "[]", "{}", r#"{"event":7}"#, r#"{"event":"app_deauthorized"}"#] {
        let got = sent_at(NOW.unix_seconds(), body.as_bytes());
        assert_eq!(got, Err(Refused::Malformed), "{body}");
    }
}
