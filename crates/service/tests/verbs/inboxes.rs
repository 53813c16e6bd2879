use bytes::Bytes;
use tidings_core::limits;
use tidings_service::{Error, InboxRequest};

use crate::setup::{NOON, Setup};

fn request(body: Bytes) -> InboxRequest {
    InboxRequest {
        received_at: NOON,
        method: "POST".into(),
        target: "/inbox/x".into(),
        headers: vec![("webhook-id".into(), "dlv_1".into())],
        body,
    }
}

#[tokio::test]
async fn an_inbox_keeps_the_latest_requests_within_its_bounds() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let inbox = service.create_inbox(&setup.owner).await.unwrap();
    assert!(inbox.token.len() >= 22, "a token has at least 128 bits");
    for n in 0..limits::INBOX_REQUESTS_MAX + 5 {
        let body = Bytes::from(n.to_string());
        service.receive_inbox_request(&inbox.token, request(body)).unwrap();
    }
    let kept = service.inbox_requests(&setup.owner, inbox.id).unwrap();
    assert_eq!((kept.len(), &kept[0].body[..]), (limits::INBOX_REQUESTS_MAX, &b"5"[..]));

    let large = Bytes::from(vec![b'x'; limits::INBOX_BYTES_MAX / 2]);
    for _ in 0..3 {
        service.receive_inbox_request(&inbox.token, request(large.clone())).unwrap();
    }
    assert_eq!(service.inbox_requests(&setup.owner, inbox.id).unwrap().len(), 1);
    let unknown = service.receive_inbox_request("nobody", request(large));
    assert_eq!(unknown.err(), Some(Error::NotFound("inbox")));
}

#[tokio::test]
async fn inboxes_are_bounded_and_private_to_their_app() {
    let setup = Setup::new().await;
    let other = setup.other_app("other").await;
    let service = &setup.service;
    let inbox = service.create_inbox(&setup.owner).await.unwrap();
    assert_eq!(service.inbox_requests(&other, inbox.id).err(), Some(Error::NotFound("inbox")));
    assert_eq!(service.delete_inbox(&other, inbox.id).await.err(), Some(Error::NotFound("inbox")));
    assert!(service.inboxes(&other).unwrap().is_empty());
    for _ in 1..limits::APP_INBOXES_MAX {
        service.create_inbox(&setup.owner).await.unwrap();
    }
    let refused = service.create_inbox(&setup.owner).await;
    assert!(matches!(refused, Err(Error::LimitExceeded { .. })));
    service.delete_inbox(&setup.owner, inbox.id).await.unwrap();
    assert!(service.create_inbox(&setup.owner).await.is_ok());
}
