use tidings_core::hook::{Ordering, Providers};
use tidings_core::sign::Scheme;

use super::begin;

#[tokio::test]
async fn a_webhook_of_each_dialect_is_created_by_the_form() {
    for (format, triggers) in [
        ("native@1", &["event.created", "event.updated"][..]),
        ("cloudevents@1", &["calendar.deleted"]),
        ("connect@1", &["event.created", "event.deleted"]),
        ("pryv@1", &["eventsChanged", "streamsChanged"]),
        ("pyas@1", &["events.updated", "account.inactive"]),
        ("sync@1", &["credential_create", "refresh"]),
        ("sync@3", &["credentials.created", "documents.fail"]),
        ("vyte@1", &["event.confirmed", "user.joined"]),
        ("vyte@2", &["vyteme.updated"]),
    ] {
        let (world, mut browser, caller) = begin().await;
        let new = world.path("/webhooks/new");
        let shown = browser.get(&new).await;
        let ticks: Vec<_> = triggers.iter().map(|trigger| format!("{format} {trigger}")).collect();
        for tick in &ticks {
            assert!(shown.body.contains(&format!("value=\"{tick}\"")), "{tick}: {}", shown.body);
        }
        // What is ticked under another format does not count.
        let other =
            if format == "pyas@1" { "native@1 event.created" } else { "pyas@1 events.created" };
        let mut fields =
            vec![("url", "https://example.com/hook"), ("format", format), ("triggers", other)];
        fields.extend(ticks.iter().map(|tick| ("triggers", tick.as_str())));
        let answer = browser.submit(&new, &new, &fields).await;
        assert_eq!(answer.status, 303, "{format}: {answer:?}");
        let hook = world.only_hook(&caller).await;
        assert_eq!(
            (hook.format.as_str(), hook.triggers.as_slice()),
            (format, &ticks_of(triggers)[..])
        );
        assert_eq!(answer.location(), world.path(&format!("/webhooks/{}", hook.id)));
        let page = browser.get(answer.location()).await;
        assert!(page.body.contains("The webhook is created."), "{}", page.body);
    }
}

fn ticks_of(triggers: &[&str]) -> Vec<String> {
    triggers.iter().map(|trigger| (*trigger).to_owned()).collect()
}

#[tokio::test]
async fn the_apps_own_types_can_be_ticked_where_the_format_takes_them() {
    let (world, mut browser, caller) = begin().await;
    let input = tidings_service::EventTypeInput::default();
    world.service.create_event_type(&caller, "invoice.paid".into(), input).await.unwrap();
    let new = world.path("/webhooks/new");
    let shown = browser.get(&new).await.body;
    assert!(shown.contains("value=\"native@1 invoice.paid\""), "{shown}");
    assert!(shown.contains("value=\"cloudevents@1 invoice.paid\""), "{shown}");
    assert!(!shown.contains("value=\"pyas@1 invoice.paid\""), "{shown}");
    let fields = [
        ("url", "https://example.com/hook"),
        ("format", "native@1"),
        ("triggers", "native@1 invoice.paid"),
        ("more_triggers", "order.*\r\n\r\ninvoice.paid\r\n"),
    ];
    assert_eq!(browser.submit(&new, &new, &fields).await.status, 303);
    assert_eq!(world.only_hook(&caller).await.triggers, ["invoice.paid", "order.*"]);
}

/// Every setting of the form.
const ALL_SETTINGS: [(&str, &str); 29] = [
    ("url", "https://example.com/hook"),
    ("description", "Ledger & more"),
    ("format", "native@1"),
    ("triggers", "native@1 *"),
    ("providers", "all"),
    ("echoes", "yes"),
    ("filter", r#"{"path": "/data/status", "eq": "paid"}"#),
    ("transform", "body.at = change.timestamp;\r\nheaders[\"x-a\"] = \"b\";"),
    ("external_id", "h-1"),
    ("retry", "0, 5 60"),
    ("concurrency", "3"),
    ("timeout_ms", "5000"),
    ("rate_count", "10"),
    ("rate_per", "minute"),
    ("ordering", "key"),
    ("order_key", "/customer/id"),
    ("on_exhausted", "stop"),
    ("coalesce", "given"),
    ("group", "account"),
    ("window_ms", "2000"),
    ("disable", "given"),
    ("failures", "7"),
    ("breaker", "no"),
    ("jitter", "no"),
    ("signing", "both"),
    ("headers", "x-api-key: s3cret"),
    ("auth", "bearer"),
    ("token", "mF_9.B5f-4.1JqM"),
    ("expires_at", "2027-01-01T00:00:00Z"),
];

#[tokio::test]
async fn all_settings_can_be_given_and_changed_and_what_is_left_alone_stays() {
    let (world, mut browser, caller) = begin().await;
    let new = world.path("/webhooks/new");
    let answer = browser.submit(&new, &new, &ALL_SETTINGS).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let made = world.only_hook(&caller).await;
    assert_eq!(
        (made.description.as_str(), made.providers, made.echoes),
        ("Ledger & more", Providers::All, true)
    );
    assert_eq!(
        (made.retry.as_slice(), made.concurrency, made.timeout_ms),
        (&[0, 5, 60][..], 3, 5_000)
    );
    assert!(matches!(&made.ordering, Ordering::Key(source) if source.as_str() == "/customer/id"));
    assert_eq!(made.coalesce.map(|rule| rule.window_ms), Some(2_000));
    assert_eq!((made.disable.failures, made.disable.failing_ms), (Some(7), None));
    assert_eq!(
        (made.breaker, made.jitter, made.rate.map(|rate| rate.count)),
        (false, false, Some(10))
    );
    assert!(made.signing.has(Scheme::V1) && made.signing.has(Scheme::V1a));
    assert_eq!(made.access.headers, ["x-api-key"]);

    // As a browser sends an edit form of which only the concurrency was changed.
    let page = world.path(&format!("/webhooks/{}", made.id));
    let edit = format!("{page}/edit");
    let shown = browser.get(&edit).await.body;
    for secret in ["s3cret", "mF_9.B5f-4.1JqM"] {
        assert!(!shown.contains(secret) && !browser.get(&page).await.body.contains(secret));
    }
    let mut fields: Vec<(&str, &str)> = ALL_SETTINGS
        .into_iter()
        .filter(|(name, _)| {
            !["headers", "auth", "token", "concurrency", "expires_at"].contains(name)
        })
        .collect();
    let rule = made.coalesce.unwrap();
    let (batch_max, batch_bytes_max) =
        (rule.batch_max.to_string(), rule.batch_bytes_max.to_string());
    fields.extend([
        ("concurrency", "4"),
        ("delay_ms", "0"),
        ("max_wait_ms", "0"),
        ("min_interval_ms", "0"),
        ("batch_max", &batch_max),
        ("batch_bytes_max", &batch_bytes_max),
        ("merges", "no"),
    ]);
    let answer = browser.submit(&edit, &edit, &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let changed = world.only_hook(&caller).await;
    assert_eq!(
        changed,
        tidings_service::Hook { concurrency: 4, updated_at: changed.updated_at, ..made }
    );
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_what_was_typed_stays() {
    let (world, mut browser, caller) = begin().await;
    let new = world.path("/webhooks/new");
    for (field, value, error, kept) in [
        ("url", "http://169.254.169.254/<x>", "f-url-error", "http://169.254.169.254/&lt;x&gt;"),
        ("retry", "soon", "f-retry-error", "value=\"soon\""),
        ("concurrency", "999999", "f-concurrency-error", "value=\"999999\""),
        ("timeout_ms", "five", "f-timeout_ms-error", "value=\"five\""),
        ("filter", "{\"path\"", "f-filter-error", "{&quot;path&quot;"),
        ("transform", "let = ;", "f-transform-error", "let = ;"),
        (
            "account",
            "acc_01k4qzv6s8t2m9r3n5b0",
            "f-account-error",
            "value=\"acc_01k4qzv6s8t2m9r3n5b0\"",
        ),
        ("more_triggers", "not a type", "triggers-error", "not a type"),
    ] {
        let mut fields = vec![("format", "native@1"), ("description", "keep <me>"), (field, value)];
        if field != "url" {
            fields.push(("url", "https://example.com/hook"));
        }
        fields.push(("triggers", "native@1 event.created"));
        let answer = browser.submit(&new, &new, &fields).await;
        assert_eq!(answer.status, 422, "{field}");
        assert!(answer.body.contains(&format!("id=\"{error}\"")), "{field}: {}", answer.body);
        assert!(answer.body.contains(kept), "{field}: {}", answer.body);
        assert!(answer.body.contains("value=\"keep &lt;me&gt;\""), "{field}");
        let tick = "value=\"native@1 event.created\" checked";
        assert!(answer.body.contains(tick), "{field}: {}", answer.body);
    }
    let hooks = world.service.hooks(&caller, &Default::default()).await.unwrap();
    assert!(hooks.items.is_empty());
}
