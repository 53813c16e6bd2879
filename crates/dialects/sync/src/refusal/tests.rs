use axum::response::Response;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http_body_util::BodyExt;

use super::*;

const RID: &str = "c23aca2a-cacd-4ee4-8fcf-fcf142cf5181";

/// Status, headers of interest and body, as text.
async fn shown(response: Response) -> String {
    let mut text = response.status().as_u16().to_string();
    for name in [&RETRY_AFTER, &WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(name) {
            text.push_str(&format!(" {name}: {}", value.to_str().unwrap()));
        }
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    format!("{text}\n{}\n", std::str::from_utf8(&body).unwrap())
}

/// Every error of the service.
fn errors() -> Vec<Error> {
    let field =
        |pointer: &str, why: &str| Field { pointer: pointer.into(), code: "any", why: why.into() };
    vec![
        Error::NotFound("hook"),
        Error::Conflict("the hook is paused".into()),
        Error::Stale { why: "the record was changed".into(), current: None },
        Error::Invalid(vec![
            field("/url", "must be an absolute URL"),
            field("/triggers/1", "is not a trigger of sync@1"),
            field("/coalesce/delay_ms", "must be 0 to 86400000"),
        ]),
        Error::Malformed("name the app".into()),
        Error::Unauthenticated,
        Error::Forbidden("hooks"),
        Error::Refused("the provider does not do this".into()),
        Error::LimitExceeded { limit: "10000 hooks".into(), retry_after_s: None },
        Error::LimitExceeded { limit: "512 streams".into(), retry_after_s: Some(7) },
        Error::TooLarge("a body has at most 262144 bytes".into()),
        Error::Gone { oldest_seq: 12 },
        Error::Unavailable { retry_after_s: 1 },
        Error::ProviderUnavailable { why: "no answer".into(), retry_after_s: 30 },
        Error::NotConfigured("set the client id".into()),
        Error::Full,
        Error::Internal,
    ]
}

#[tokio::test]
async fn every_service_error_has_its_answer() {
    let mut all = String::new();
    for error in errors() {
        let kind = format!("{error:?}");
        let response = Refusal::from(error).respond(RID);
        all.push_str(&format!("{kind}\n{}\n", shown(response).await));
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn the_documented_unauthorized_is_printed_as_documented() {
    let expected = format!(
        "401 www-authenticate: api_key realm=\"sync\"\n{{\"rid\":\"{RID}\",\"code\":401,\"errors\":null,\
         \"status\":false,\"message\":\"Unauthorized\",\"response\":null}}\n"
    );
    assert_eq!(shown(Refusal::unauthorized().respond(RID)).await, expected);
}

#[test]
fn every_code_is_a_documented_one_with_its_message() {
    let documented = [
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (402, "Payment Required"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (429, "Too Many Requests"),
        (500, "Internal Server Error"),
        (503, "Service Unavailable"),
    ];
    let own = [
        Refusal::bad_request("x"),
        Refusal::field("x", "y"),
        Refusal::unauthorized(),
        Refusal::forbidden("x"),
        Refusal::not_found("x"),
    ];
    for refusal in errors().into_iter().map(Refusal::from).chain(own) {
        let printed = (refusal.status.as_u16(), refusal.status.canonical_reason().unwrap());
        assert!(documented.contains(&printed), "{refusal:?}");
    }
}
