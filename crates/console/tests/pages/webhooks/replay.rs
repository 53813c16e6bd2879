use tidings_service::NewPublication;

use super::begin;

#[tokio::test]
async fn a_replay_is_counted_first_then_confirmed_then_watched_then_cancelled() {
    let (world, mut browser, caller) = begin().await;
    let hook = world.hook(&caller).await;
    for kind in ["invoice.paid", "invoice.paid", "invoice.sent"] {
        let input = NewPublication {
            kind: kind.into(),
            data: "1".into(),
            id: None,
            account: None,
            order_key: None,
            occurred_at: None,
        };
        world.service.publish(&caller, input, None, None).await.unwrap();
    }
    let page = world.path(&format!("/webhooks/{}/replay", hook.id));
    let count = format!("{page}/count");
    let fields = [("hours", "24"), ("types", "invoice.paid"), ("rate", "1")];
    let counted = browser.submit(&page, &count, &fields).await;
    assert_eq!(counted.status, 200, "{}", counted.body);
    assert!(
        counted.body.contains("2 changes") && counted.body.contains("Nothing was sent yet"),
        "{}",
        counted.body
    );
    let replays = world.service.replays(&caller, hook.id).await.unwrap();
    assert!(replays.is_empty(), "a dry run begins nothing");

    // What the page says is what its button sends.
    let hidden = regex::Regex::new(r#"name="(from|until|types|rate)" value="([^"]*)""#).unwrap();
    let kept: Vec<(String, String)> = hidden
        .captures_iter(&counted.body)
        .map(|found| (found[1].into(), found[2].into()))
        .collect();
    let kept: Vec<_> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(kept.len(), 4, "{}", counted.body);
    let csrf = counted.csrf().unwrap();
    let begun = browser.post(&page, &csrf, &kept).await;
    assert_eq!(begun.status, 303, "{begun:?}");
    let progress = browser.get(begun.location()).await.body;
    assert!(progress.contains("0 of 2") && progress.contains("<progress"), "{progress}");
    assert!(progress.contains(&format!("data-live=\"{}/live\"", begun.location())), "{progress}");

    let cancel = format!("{}/cancel", begun.location());
    let cancelled = browser.submit(begun.location(), &cancel, &[]).await;
    assert_eq!(cancelled.status, 303);
    assert!(browser.get(begun.location()).await.body.contains("cancelled"));
    assert!(world.service.replays(&caller, hook.id).await.unwrap()[0].cancelled_at.is_some());
}

#[tokio::test]
async fn what_cannot_be_replayed_is_said_beside_its_field() {
    let (world, mut browser, caller) = begin().await;
    let hook = world.hook(&caller).await;
    let page = world.path(&format!("/webhooks/{}/replay", hook.id));
    for (field, value) in [
        ("from", "yesterday"),
        ("until", "x"),
        ("types", "a b"),
        ("account", "x"),
        ("rate", "fast"),
        ("into", "x"),
    ] {
        let answer = browser.submit(&page, &format!("{page}/count"), &[(field, value)]).await;
        assert_eq!(answer.status, 422, "{field}");
        assert!(
            answer.body.contains(&format!("id=\"f-{field}-error\"")),
            "{field}: {}",
            answer.body
        );
        assert!(answer.body.contains(value), "{field}");
    }
}
