use axum::response::IntoResponse;

use super::*;

#[test]
fn every_service_error_has_its_answer() {
    let field =
        |pointer: &str, why: &str| Field { pointer: pointer.into(), code: "any", why: why.into() };
    let mut all = String::new();
    for error in [
        Error::NotFound("hook"),
        Error::Conflict("a record with this key exists".into()),
        Error::Stale { why: "the record changed".into(), current: Some("2".into()) },
        Error::Invalid(vec![
            field("/username", "must not be blank"),
            field("/password", "must be at least 6 characters"),
        ]),
        Error::Malformed("name the app".into()),
        Error::Unauthenticated,
        Error::Forbidden("records"),
        Error::Refused("registration is not open to you".into()),
        Error::LimitExceeded { limit: "10000 hooks".into(), retry_after_s: None },
        Error::LimitExceeded { limit: "passwords".into(), retry_after_s: Some(7) },
        Error::TooLarge("a body has at most 262144 bytes".into()),
        Error::Gone { oldest_seq: 12 },
        Error::Unavailable { retry_after_s: 1 },
        Error::ProviderUnavailable { why: "no answer".into(), retry_after_s: 3 },
        Error::NotConfigured("set public_url".into()),
        Error::Full,
        Error::Internal,
    ] {
        let kind = format!("{error:?}");
        let refusal = Refusal::from(error);
        let status = refusal.status.into_response().status().as_u16();
        let retry = refusal.retry_after_s.map(|s| format!(" retry-after: {s}")).unwrap_or_default();
        all.push_str(&format!("{kind}\n{status}{retry}\n{}\n\n", refusal.to_json()));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn refusals_are_in_the_vendors_words() {
    for (refusal, status, json) in [
        (
            Refusal::token_missing(),
            401,
            json!({"id": "invalid-access-token", "message": "The access token is missing: expected an \
                \"Authorization\" header or an \"auth\" query string parameter."}),
        ),
        (
            Refusal::token_unknown(),
            401,
            json!({"id": "invalid-access-token", "message": "Cannot find access from token."}),
        ),
        (
            Refusal::unknown("webhook", "w1"),
            404,
            json!({"id": "unknown-resource", "message": "Unknown webhook \"w1\""}),
        ),
        (
            Refusal::exists("webhook", &[("url", "https://a.b/")]),
            409,
            json!({
                "id": "item-already-exists",
                "message": "A webhook with url \"https://a.b/\" already exists",
                "data": {"url": "https://a.b/"},
            }),
        ),
        (
            Refusal::exists("event", &[("id", "c1")]),
            409,
            json!({
                "id": "item-already-exists",
                "message": "An event with id \"c1\" already exists",
                "data": {"id": "c1"},
            }),
        ),
        (
            Refusal::unknown_referenced("webhook", "url", json!("https://a.b/")),
            400,
            json!({
                "id": "unknown-referenced-resource",
                "message": "Unknown referenced webhook \"https://a.b/\"",
                "data": {"url": "https://a.b/"},
            }),
        ),
        (
            Refusal::protected(&["lastRun"]),
            403,
            json!({
                "id": "forbidden",
                "message": "Forbidden update was attempted on the following protected field(s): [lastRun].",
            }),
        ),
        (
            Refusal::method_forbidden("webhooks.create"),
            403,
            json!({
                "id": "forbidden",
                "message": "You cannot access webhooks.create resource using the given access",
            }),
        ),
    ] {
        assert_eq!((refusal.status.as_u16(), refusal.to_json()), (status, json));
    }
}
