use http_body_util::BodyExt;

use super::*;

/// Status, when to try again, and body, as text.
async fn shown(refusal: Refusal) -> String {
    let response = refusal.into_response();
    let mut text = response.status().as_u16().to_string();
    if let Some(value) = response.headers().get(RETRY_AFTER) {
        text.push_str(&format!(" retry-after: {}", value.to_str().unwrap()));
    }
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    format!("{text}\n{}\n", std::str::from_utf8(&body).unwrap())
}

#[tokio::test]
async fn every_service_error_has_its_answer() {
    let field =
        |pointer: &str, why: &str| Field { pointer: pointer.into(), code: "any", why: why.into() };
    let mut all = String::new();
    for error in [
        Error::NotFound("account"),
        Error::NotFound("event"),
        Error::Conflict("account is inactive".into()),
        Error::Stale { why: "the event is in another version".into(), current: None },
        Error::Invalid(vec![
            field("/attendees/0/email", "must be an e-mail address"),
            field("limit", "must be 1 to 1000"),
        ]),
        Error::Malformed("name the app".into()),
        Error::Unauthenticated,
        Error::Forbidden("calendars"),
        Error::Refused("the calendar is read-only".into()),
        Error::LimitExceeded { limit: "1000 accounts".into(), retry_after_s: None },
        Error::LimitExceeded { limit: "512 streams".into(), retry_after_s: Some(7) },
        Error::TooLarge("a body has at most 262144 bytes".into()),
        Error::Gone { oldest_seq: 12 },
        Error::Unavailable { retry_after_s: 1 },
        Error::ProviderUnavailable { why: "google asks for patience".into(), retry_after_s: 30 },
        Error::NotConfigured("set google.client_id".into()),
        Error::Full,
        Error::Internal,
    ] {
        let kind = format!("{error:?}");
        all.push_str(&format!("{kind}\n{}\n", shown(error.into()).await));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn members_of_a_draft_are_named_as_they_were_given() {
    for (pointer, expected) in [
        ("", "eventData"),
        ("/start", "eventData.startDate"),
        ("/attendees", "eventData.attendees"),
        ("/attendees/12/email", "eventData.attendees[12].email"),
        ("/properties/crm", "eventData.meta.crm"),
        ("/conference", "eventData.conferencing"),
        ("/redirectUrl", "redirectUrl"),
        ("cursor", "nextPageToken"),
        ("to", "endDate"),
    ] {
        assert_eq!(parameter(pointer), expected, "{pointer}");
    }
}
