//! `x-request-id`, in and out.

use http::Method;

use crate::world::{World, request};

#[tokio::test]
async fn a_usable_request_id_is_taken_over_and_every_answer_has_one() {
    let world = World::new().await;
    for (given, kept) in [
        ("trace-1.a_B", true),
        ("", false),
        ("a b", false),
        ("\u{e9}", false),
        (&*"x".repeat(64), true),
        (&*"x".repeat(65), false),
    ] {
        for target in ["/api/v1/apps", "/nowhere", "/openapi.json"] {
            let mut request = request(Method::GET, &world.app.key, target, None);
            let value = http::HeaderValue::from_bytes(given.as_bytes()).unwrap();
            request.headers_mut().insert("x-request-id", value);
            let answer = world.send(request).await;
            let id = answer.headers["x-request-id"].to_str().unwrap();
            assert_eq!(id == given, kept, "{given:?} {target}");
            assert!(kept || (id.starts_with("req_") && id.len() == 28), "{id}");
        }
    }
}
