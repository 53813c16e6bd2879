//! The live stream.

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use http::{Method, StatusCode};
use tidings_core::limits;
use tower::ServiceExt;

use crate::world::{World, request};

/// An open stream, read event by event.
struct Stream {
    body: BodyDataStream,
    pending: String,
    /// As a browser keeps it: set by every event, those without data included.
    last_id: String,
}

impl Stream {
    async fn open(world: &World, query: &str, last_event_id: Option<&str>) -> (StatusCode, Self) {
        let target = format!("/api/v1/changes/stream{query}");
        let mut request = request(Method::GET, &world.app.key, &target, None);
        if let Some(id) = last_event_id {
            request.headers_mut().insert("last-event-id", id.parse().unwrap());
        }
        let response = world.router.clone().oneshot(request.map(Body::from)).await.unwrap();
        let status = response.status();
        let body = response.into_body().into_data_stream();
        (status, Self { body, pending: String::new(), last_id: String::new() })
    }

    /// Id, type and `seq` of the next event; `None` at the end.
    async fn next(&mut self) -> Option<(String, String, u64)> {
        loop {
            if let Some((event, rest)) = self.pending.split_once("\n\n") {
                let event = event.to_owned();
                self.pending = rest.to_owned();
                let field = |name: &str| {
                    let lines = event.lines().filter_map(|line| line.strip_prefix(name));
                    lines.collect::<Vec<_>>().join("\n")
                };
                self.last_id = field("id: ");
                if field("data: ").is_empty() {
                    continue;
                }
                let change: serde_json::Value = serde_json::from_str(&field("data: ")).unwrap();
                let seq = change["seq"].as_u64().unwrap();
                return Some((self.last_id.clone(), field("event: "), seq));
            }
            self.pending += std::str::from_utf8(&self.body.next().await?.unwrap()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_stream_resumes_after_the_last_event_that_was_seen() {
    let world = World::new().await;
    world.publish(&world.app.key, "a.one").await;
    let page = world.get(&world.app.key, "/changes").await.json();
    let after = page["next_cursor"].as_str().unwrap();
    world.publish(&world.app.key, "a.two").await;

    let (status, mut stream) = Stream::open(&world, &format!("?after={after}"), None).await;
    assert_eq!(status, 200);
    let (second, kind, seq) = stream.next().await.unwrap();
    assert_eq!((kind.as_str(), seq), ("a.two", 2));
    world.publish(&world.app.key, "a.three").await;
    assert_eq!(stream.next().await.unwrap().2, 3);
    drop(stream);

    world.publish(&world.app.key, "a.four").await;
    // The last event that was seen goes before the place where the stream first began.
    let (_, mut resumed) = Stream::open(&world, &format!("?after={after}"), Some(&second)).await;
    assert_eq!(resumed.next().await.unwrap().2, 3);
    let (fourth, kind, seq) = resumed.next().await.unwrap();
    assert_eq!((kind.as_str(), seq), ("a.four", 4));

    // The id of an event is a cursor for pulling, too.
    world.publish(&world.app.key, "a.five").await;
    let page = world.get(&world.app.key, &format!("/changes?after={fourth}")).await.json();
    assert_eq!(
        (page["data"][0]["seq"].as_u64(), page["has_more"].as_bool()),
        (Some(5), Some(false))
    );
}

#[tokio::test]
async fn a_stream_without_a_cursor_begins_with_what_is_new() {
    let world = World::new().await;
    world.publish(&world.app.key, "a.old").await;
    let (_, mut stream) = Stream::open(&world, "", None).await;
    world.publish(&world.app.key, "a.new").await;
    assert_eq!(stream.next().await.unwrap().1, "a.new");
}

#[tokio::test]
async fn shutdown_ends_the_streams() {
    let world = World::new().await;
    let (_, mut stream) = Stream::open(&world, "", None).await;
    world.stop.send(true).unwrap();
    assert_eq!(stream.next().await, None);

    // Nothing had come, and yet it is known where to go on.
    world.publish(&world.app.key, "a.b").await;
    world.stop.send(false).unwrap();
    let (_, mut resumed) = Stream::open(&world, "", Some(&stream.last_id)).await;
    assert_eq!(resumed.next().await.unwrap().2, 1);
}

#[tokio::test]
async fn forged_cursors_are_refused_and_streams_are_bounded() {
    let world = World::new().await;
    for (query, id) in
        [("?after=abc", None), ("", Some("abc")), ("?after=", None), ("?from=1", None)]
    {
        let (status, _) = Stream::open(&world, query, id).await;
        assert_eq!(status, 400, "{query} {id:?}");
    }
    let mut open = Vec::new();
    for _ in 0..limits::STREAMS_MAX {
        let (status, stream) = Stream::open(&world, "", None).await;
        assert_eq!(status, 200);
        open.push(stream);
    }
    let refused = world.get(&world.app.key, "/changes/stream").await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    open.pop();
    assert_eq!(Stream::open(&world, "", None).await.0, 200);
}
