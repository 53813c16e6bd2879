use http_body_util::BodyExt;

use super::*;

/// Status, headers of interest and body, as text.
async fn shown(refusal: Refusal) -> String {
    let response = refusal.into_response();
    let mut text = response.status().as_u16().to_string();
    for name in [&RETRY_AFTER, &WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(name) {
            text.push_str(&format!(" {name}: {}", value.to_str().unwrap()));
        }
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    format!("{text}\n{}\n", std::str::from_utf8(&body).unwrap())
}

#[tokio::test]
async fn every_service_error_has_its_answer() {
    let field =
        |pointer: &str, why: &str| Field { pointer: pointer.into(), code: "any", why: why.into() };
    let mut all = String::new();
    for error in [
        Error::NotFound("calendar"),
        Error::Conflict("the channel id is taken".into()),
        Error::Invalid(vec![
            field("/channelId", "must not be blank"),
            field("/expiration", "must lie in the future"),
        ]),
        Error::Malformed("name the app".into()),
        Error::Unauthenticated,
        Error::Forbidden("connect"),
        Error::Forbidden(CONNECT_WRITE),
        Error::Forbidden(CONNECT_CALENDARS),
        Error::Stale { why: "the event is not in that version".into(), current: None },
        Error::Refused("the calendar is read-only".into()),
        Error::ProviderUnavailable { why: "google does not answer".into(), retry_after_s: 5 },
        Error::NotConfigured("the operator must set public_url".into()),
        Error::LimitExceeded { limit: "10000 hooks".into(), retry_after_s: None },
        Error::LimitExceeded { limit: "512 streams".into(), retry_after_s: Some(7) },
        Error::TooLarge("a body has at most 262144 bytes".into()),
        Error::Gone { oldest_seq: 12 },
        Error::Unavailable { retry_after_s: 1 },
        Error::Full,
        Error::Internal,
    ] {
        let kind = format!("{error:?}");
        all.push_str(&format!("{kind}\n{}\n", shown(error.into()).await));
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn a_wrong_field_is_named_in_the_message_and_the_details() {
    let shown = shown(Refusal::field("calendarId", "missing", "is required")).await;
    let expected = concat!(
        r#"{"error":"calendarId is required","message":"calendarId is required","code":"missing","#,
        r#""details":{"calendarId":"is required"}}"#,
    );
    assert_eq!(shown, format!("400\n{expected}\n"));
}
