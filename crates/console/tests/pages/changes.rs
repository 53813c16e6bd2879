//! The journal: newest first, searched, live; and one change.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use tidings_service::{Caller, NewPublication};
use tower::ServiceExt;

use crate::world::{Browser, World};

async fn publish(world: &World, caller: &Caller, kind: &str, data: &'static str) -> String {
    let input = NewPublication {
        kind: kind.into(),
        data: data.into(),
        id: None,
        account: None,
        order_key: None,
        occurred_at: None,
    };
    let published = world.service.publish(caller, input, None, None).await.unwrap();
    published.receipts[0].id.to_string()
}

/// The places of words in a text, in which they must stand in this order.
fn in_order(text: &str, words: &[&str]) -> bool {
    let places: Option<Vec<_>> = words.iter().map(|word| text.find(word)).collect();
    places.is_some_and(|places| places.is_sorted())
}

#[tokio::test]
async fn changes_are_listed_newest_first_and_searched() {
    let (world, mut owner) = World::owned().await;
    let base = format!("/console/apps/{}/changes", world.app);
    assert!(owner.get(&base).await.body.contains("There is none yet"));
    let caller = world.owner(&owner).await;
    publish(&world, &caller, "invoice.paid", r#"{"n":"alpha"}"#).await;
    publish(&world, &caller, "order.made", r#"{"n":"<script>beta"}"#).await;
    publish(&world, &caller, "invoice.sent", r#"{"n":"gamma"}"#).await;
    let all = owner.get(&base).await;
    assert!(in_order(&all.body, &["gamma", "&lt;script&gt;beta", "alpha"]), "{all:?}");
    assert!(
        all.body.contains(&format!("data-live=\"{base}/live\"")) && !all.body.contains("<script>b")
    );
    for (query, there, away) in [
        ("type=invoice.*", &["gamma", "alpha"][..], "beta"),
        ("text=BETA", &["beta", "Looked at 3 changes", "all that is kept"], "gamma"),
        ("before=3", &["beta", "alpha"], "gamma"),
        ("type=other.*", &["Nothing was found as far as was looked"], "gamma"),
    ] {
        let found = owner.get(&format!("{base}?{query}")).await;
        assert_eq!(found.status, 200, "{query}");
        assert!(in_order(&found.body, there) && !found.body.contains(away), "{query}: {found:?}");
        assert!(!found.body.contains("data-live"), "what is searched stands still");
    }
    for (query, why) in [
        ("type=in%20voice", "f-type-error"),
        ("account=acc_01k4qzv6s8t2m9r3n5b0", "Is no account of this app"),
        ("account=%3Cb%3E", "f-account-error"),
    ] {
        let refused = owner.get(&format!("{base}?{query}")).await;
        assert_eq!(refused.status, 422, "{query}");
        assert!(
            refused.body.contains(why) && !refused.body.contains("<b>"),
            "{query}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_change_shows_its_data_indented_and_byte_for_byte() {
    let (world, mut owner) = World::owned().await;
    let caller = world.owner(&owner).await;
    let change = publish(&world, &caller, "invoice.paid", r#"{"amount":12.50,"n":[1,2]}"#).await;
    let base = format!("/console/apps/{}/changes", world.app);
    let page = owner.get(&format!("{base}/{change}")).await;
    for part in [
        "&quot;amount&quot;: 12.50,\n",
        "{&quot;amount&quot;:12.50,&quot;n&quot;:[1,2]}",
        "No webhook was called for this change",
    ] {
        assert!(page.body.contains(part), "{part}: {page:?}");
    }
    for strange in ["chg_01k4qzv6s8t2m9r3n5b0", "something"] {
        assert_eq!(owner.get(&format!("{base}/{strange}")).await.status, 404, "{strange}");
    }
}

#[tokio::test]
async fn a_change_arrives_live() {
    let (world, owner) = World::owned().await;
    let caller = world.owner(&owner).await;
    let mut stream =
        follow(&world, &owner, &format!("/console/apps/{}/changes/live", world.app)).await;
    assert!(event(&mut stream).await.contains("There is none yet"));
    publish(&world, &caller, "invoice.paid", "{}").await;
    assert!(event(&mut stream).await.contains("invoice.paid"));
}

async fn follow(world: &World, browser: &Browser, path: &str) -> Body {
    let cookie = format!("tidings={}", browser.cookies["tidings"]);
    let request = Request::get(path).header("cookie", cookie).header("host", "127.0.0.1:8480");
    let response =
        world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body()
}

/// The next event that says something.
async fn event(stream: &mut Body) -> String {
    let patience = Duration::from_secs(30);
    loop {
        let frame = tokio::time::timeout(patience, stream.frame()).await.expect("an event comes");
        let data = frame.unwrap().unwrap().into_data().unwrap();
        let text = String::from_utf8(data.to_vec()).unwrap();
        if text.contains("data:") {
            return text;
        }
    }
}
