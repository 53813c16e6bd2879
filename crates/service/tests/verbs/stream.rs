use tidings_service::{Error, Scope};

use crate::setup::{Setup, publication};

#[tokio::test]
async fn a_stream_resumes_and_then_waits_for_what_comes() {
    let setup = Setup::new().await;
    let publish = || setup.service.publish(&setup.owner, publication("a.b", "1"), None, None);
    for _ in 0..3 {
        publish().await.unwrap();
    }
    let mut resumed = setup.service.follow_changes(&setup.owner, Some(1)).await.unwrap();
    let seqs: Vec<_> = resumed.next().await.unwrap().iter().map(|change| change.seq).collect();
    assert_eq!(seqs, [2, 3]);
    let mut fresh = setup.service.follow_changes(&setup.owner, None).await.unwrap();
    let (next, published) = tokio::join!(fresh.next(), publish());
    published.unwrap();
    assert_eq!(next.unwrap()[0].seq, 4);
}

#[tokio::test]
async fn a_stream_ends_when_its_key_is_revoked() {
    let setup = Setup::new().await;
    let reader = setup.with_scopes(&[Scope::Read]).await;
    let mut stream = setup.service.follow_changes(&reader, None).await.unwrap();
    setup.service.revoke_key(&setup.owner, reader.grant_id()).await.unwrap();
    setup.clock.advance_ms(1_000);
    setup.service.publish(&setup.owner, publication("a.b", "1"), None, None).await.unwrap();
    assert_eq!(stream.next().await.err(), Some(Error::Unauthenticated));
}

#[tokio::test]
async fn streams_are_bounded() {
    let setup = Setup::new().await;
    let mut open = Vec::new();
    for _ in 0..tidings_core::limits::STREAMS_MAX {
        open.push(setup.service.follow_changes(&setup.owner, None).await.unwrap());
    }
    let refused = setup.service.follow_changes(&setup.owner, None).await;
    assert!(matches!(refused, Err(Error::LimitExceeded { .. })));
    open.pop();
    assert!(setup.service.follow_changes(&setup.owner, None).await.is_ok());
}
