use http_body_util::BodyExt;

use super::*;

/// Status, headers of interest and body, as text.
async fn shown(refusal: Refusal) -> String {
    let response = refusal.into_response();
    let mut text = response.status().as_u16().to_string();
    for name in [&ALLOW, &RETRY_AFTER] {
        if let Some(value) = response.headers().get(name) {
            text.push_str(&format!(" {name}: {}", value.to_str().unwrap()));
        }
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    format!("{text}\n{}\n", std::str::from_utf8(&body).unwrap())
}

fn every_error() -> Vec<Error> {
    let field = |pointer: &str, code: &'static str, why: &str| Field {
        pointer: pointer.into(),
        code,
        why: why.into(),
    };
    vec![
        Error::NotFound("hook"),
        Error::Conflict("the external id is taken".into()),
        Error::Stale { why: "the record has changed".into(), current: Some("4".into()) },
        Error::Invalid(vec![
            field("/url", "url_scheme", "the URL must begin with https://"),
            field("/triggers/0", "trigger", "is not a trigger of vyte@1"),
        ]),
        Error::Invalid(vec![field("/url", "url_port", "port 25 is not allowed")]),
        Error::Invalid(vec![field("limit", "range", "must be 1 to 100")]),
        Error::Malformed("name the app".into()),
        Error::Unauthenticated,
        Error::Forbidden("hooks"),
        Error::Refused("the provider does not do this".into()),
        Error::LimitExceeded { limit: "10000 hooks".into(), retry_after_s: None },
        Error::LimitExceeded { limit: "512 streams".into(), retry_after_s: Some(7) },
        Error::TooLarge("a body has at most 262144 bytes".into()),
        Error::Gone { oldest_seq: 12 },
        Error::Unavailable { retry_after_s: 1 },
        Error::ProviderUnavailable { why: "google does not answer".into(), retry_after_s: 5 },
        Error::NotConfigured("set [google] first".into()),
        Error::Full,
        Error::Internal,
    ]
}

#[tokio::test]
async fn every_service_error_has_its_answer() {
    let mut all = String::new();
    for error in every_error() {
        let kind = format!("{error:?}");
        all.push_str(&format!("{kind}\n{}\n", shown(error.into()).await));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_errors_above_are_all_there_are() {
    let kinds: std::collections::BTreeSet<_> = every_error().iter().map(Error::code).collect();
    // An error added to the service fails to compile in `From`; this fails when its example is missing.
    assert_eq!(kinds.len(), 16, "{kinds:?}");
}

#[tokio::test]
async fn the_body_names_status_error_code_and_message() {
    let shown = shown(Refusal::field("title", "is required")).await;
    let expected = concat!(
        r#"{"status":400,"error":"Bad Request","code":"invalid","message":"title is required","#,
        r#""details":{"title":"is required"}}"#,
    );
    assert_eq!(shown, format!("400\n{expected}\n"));
}
