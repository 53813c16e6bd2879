use bytes::Bytes;
use tidings_core::id::{ChangeId, Ids};
use tidings_service::{Error, NewPublication, Scope};

use crate::setup::{NOON, Setup, pointers, publication};

#[tokio::test]
async fn the_document_is_kept_byte_for_byte() {
    let setup = Setup::new().await;
    let data = "{ \"b\":1,  \"a\":9007199254740993, \"a\":2 }";
    let done =
        setup.service.publish(&setup.owner, publication("a.b", data), None, None).await.unwrap();
    assert_eq!((done.receipts[0].seq, done.replayed), (1, false));
    let change = setup.service.change(&setup.owner, done.receipts[0].id).await.unwrap();
    assert_eq!(change.data, Some(Bytes::from_static(data.as_bytes())));
    assert_eq!(change.occurred_at, NOON);
}

#[tokio::test]
async fn bad_changes_are_refused_with_their_place_and_nothing_is_published() {
    let setup = Setup::new().await;
    let ahead = NewPublication {
        occurred_at: Some(NOON.plus_ms(24 * 3600 * 1000 + 1)),
        ..publication("a.b", "1")
    };
    let key = NewPublication { order_key: Some("a\nb".into()), ..publication("a.b", "1") };
    for (input, expect) in [
        (publication(" ", "1"), "/type"),
        (publication("a b", "1"), "/type"),
        (publication("a.*", "1"), "/type"),
        (publication("../../etc", "1"), "/type"),
        (publication("hook.disabled", "1"), "/type"),
        (publication("delivery.exhausted", "1"), "/type"),
        (publication("a.b", ""), "/data"),
        (publication("a.b", "{"), "/data"),
        (publication("a.b", r#""\ud800""#), "/data"),
        (publication("a.b", "1e400"), "/data"),
        (ahead, "/occurred_at"),
        (key, "/order_key"),
    ] {
        let refused = setup.service.publish(&setup.owner, input.clone(), None, None).await;
        assert_eq!(pointers(refused), [expect], "{input:?}");
        let batch = vec![publication("a.b", "1"), input];
        let refused = setup.service.publish_batch(&setup.owner, batch, None, None).await;
        assert_eq!(pointers(refused), [format!("/1{expect}")]);
    }
    assert_eq!(setup.service.app(&setup.owner, setup.app).await.unwrap().seq, 0);
    for (count, too_large) in [(0, false), (1_001, true)] {
        let batch = vec![publication("a.b", "1"); count];
        let refused = setup.service.publish_batch(&setup.owner, batch, None, None).await;
        assert_eq!(matches!(refused, Err(Error::TooLarge(_))), too_large, "{count}");
        assert!(refused.is_err());
    }
}

#[tokio::test]
async fn a_repeated_key_publishes_once_and_another_request_with_it_conflicts() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let publish = |data: &'static str, key: &'static str| {
        service.publish(&setup.owner, publication("a.b", data), Some(key), None)
    };
    let first = publish("1", "k").await.unwrap();
    let again = publish("1", "k").await.unwrap();
    assert_eq!(first.receipts, again.receipts);
    assert!(!first.replayed && again.replayed);
    assert!(matches!(publish("2", "k").await, Err(Error::Invalid(_))));
    assert_eq!(publish("2", "l").await.unwrap().receipts[0].seq, 2);
    let batch = service.publish_batch(&setup.owner, vec![publication("a.b", "1")], Some("k"), None);
    assert!(matches!(batch.await, Err(Error::Invalid(_))));
    let long = "k".repeat(256);
    for bad in ["", " ", "a\nb", "é", &long] {
        let refused = service.publish(&setup.owner, publication("a.b", "1"), Some(bad), None).await;
        assert!(matches!(refused, Err(Error::Malformed(_))), "{bad:?}");
    }
}

#[tokio::test]
async fn an_id_from_elsewhere_is_kept_and_unique_in_the_app() {
    let setup = Setup::new().await;
    let id = ChangeId(Ids::seeded(8).next(NOON));
    let input = NewPublication { id: Some(id), ..publication("a.b", "1") };
    let done = setup.service.publish(&setup.owner, input.clone(), None, None).await.unwrap();
    assert_eq!(done.receipts[0].id, id);
    let refused = setup.service.publish(&setup.owner, input.clone(), None, None).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    let other = setup.other_app("other").await;
    assert!(setup.service.publish(&other, input, None, None).await.is_ok());
}

#[tokio::test]
async fn changes_are_pulled_in_order_page_by_page() {
    let setup = Setup::new().await;
    let batch = (0..5).map(|_| publication("a.b", "1")).collect();
    setup.service.publish_batch(&setup.owner, batch, None, None).await.unwrap();
    let reader = setup.with_scopes(&[Scope::Read]).await;
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = setup.service.changes(&reader, after, Some(2)).await.unwrap();
        seen.extend(page.changes.iter().map(|change| change.seq));
        after = page.next_after;
        if !page.has_more {
            break;
        }
    }
    assert_eq!((seen, after), (vec![1, 2, 3, 4, 5], 5));
    let end = setup.service.changes(&reader, 5, None).await.unwrap();
    assert_eq!((end.changes.len(), end.next_after, end.has_more), (0, 5, false));
    for limit in [0, 1_001] {
        assert_eq!(pointers(setup.service.changes(&reader, 0, Some(limit)).await), ["limit"]);
    }
}
