use tidings_core::egress::FailureClass;
use tidings_core::sign::Secret;
use tidings_service::advice;

use super::begin;

#[tokio::test]
async fn each_kind_of_failure_is_shown_with_its_cause_and_its_fix() {
    let (world, mut browser, caller) = begin().await;
    let hook = world.hook(&caller).await;
    let ours = ["render", "transform", "auth", "erased", "internal"].map(|class| (class, None));
    let of_way = FailureClass::ALL.map(|class| (class.code(), None));
    let answers = [301, 400, 401, 403, 404, 405, 410, 413, 419, 429, 500, 503]
        .map(|status| ("status", Some(status)));
    for (class, status) in ours.into_iter().chain(of_way).chain(answers) {
        let delivery = world
            .tried(&caller, hook.id, |record| {
                (record.delivered, record.status) = (false, status);
                record.error = Some((class.into(), "some words".into()));
            })
            .await;
        let shown = browser.get(&world.path(&format!("/deliveries/{delivery}"))).await;
        assert_eq!(shown.status, 200);
        let attempts = world.service.attempts(&caller, delivery.parse().unwrap()).await.unwrap();
        let told = advice(&attempts[0]).unwrap();
        for words in [&told.cause, &told.fix] {
            let (_, tail) = words.split_once(' ').unwrap();
            let tail = tail.trim_end_matches('.').replace('&', "&amp;");
            assert!(shown.body.contains(&tail), "{class} {status:?} {words}: {}", shown.body);
        }
    }
}

#[tokio::test]
async fn what_receivers_and_senders_wrote_is_shown_as_text() {
    const HOSTILE: &str = "</code><script>alert(1)</script><img src=x onerror=alert(2)>\"'";
    let (world, mut browser, caller) = begin().await;
    let hook = world.hook(&caller).await;
    let headers = serde_json::to_string(&[(HOSTILE, HOSTILE)]).unwrap();
    let delivery = world
        .tried(&caller, hook.id, |record| {
            (record.delivered, record.status) = (false, Some(500));
            record.error = Some((HOSTILE.into(), HOSTILE.into()));
            record.url = HOSTILE.into();
            record.address = Some(HOSTILE.into());
            record.request_headers = Some(headers.clone());
            record.response_headers = Some(headers);
            record.response_body = Some([HOSTILE.as_bytes(), b"\xff\x00"].concat());
        })
        .await;
    for path in [
        world.path(&format!("/deliveries/{delivery}")),
        world.path(&format!("/deliveries/{delivery}/verify")),
        world.path(&format!("/webhooks/{}", hook.id)),
        world.path(&format!("/webhooks/{}/deliveries", hook.id)),
    ] {
        let shown = browser.get(&path).await;
        assert_eq!(shown.status, 200, "{path}");
        assert!(
            !shown.body.contains("<script>alert") && !shown.body.contains("<img src=x"),
            "{path}: {}",
            shown.body
        );
    }
    let shown = browser.get(&world.path(&format!("/deliveries/{delivery}"))).await.body;
    assert!(shown.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{shown}");
}

#[tokio::test]
async fn the_body_is_made_again_and_says_when_the_webhook_was_changed_since() {
    let (world, mut browser, caller) = begin().await;
    let hook = world.hook(&caller).await;
    let delivery = world.tried(&caller, hook.id, |record| record.request_headers = None).await;
    let page = world.path(&format!("/deliveries/{delivery}"));
    let shown = browser.get(&page).await.body;
    assert!(shown.contains("this is a test event") && shown.contains("byte for byte"), "{shown}");
    world.clock.advance_ms(1_000);
    let changes = tidings_service::HookChanges {
        transform: Some(Some("headers[\"x-new\"] = \"1\";".into())),
        ..Default::default()
    };
    world.service.update_hook(&caller, hook.id, changes).await.unwrap();
    let shown = browser.get(&page).await.body;
    assert!(shown.contains("It was changed since") && shown.contains("x-new"), "{shown}");
}

#[tokio::test]
async fn a_delivery_is_given_as_curl_with_a_signature_of_now_and_a_pasted_one_is_looked_into() {
    let (world, mut browser, caller) = begin().await;
    let hook = world.hook(&caller).await;
    let delivery = world.tried(&caller, hook.id, |_| {}).await;
    let page = world.path(&format!("/deliveries/{delivery}"));
    let shown = browser.submit(&page, &format!("{page}/curl"), &[]).await;
    assert_eq!(shown.status, 200);
    assert!(
        shown.body.contains("curl -i -X POST &#39;https://example.com/hook&#39;")
            || shown.body.contains("curl -i -X POST 'https://example.com/hook'"),
        "{}",
        shown.body
    );

    let signed = world.service.sign_delivery(&caller, delivery.parse().unwrap()).await.unwrap();
    let headers: Vec<_> =
        signed.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let headers = headers.join("\r\n");
    let body = String::from_utf8(signed.body.to_vec()).unwrap();
    let secrets = world.service.reveal_hook_secret(&caller, hook.id).await.unwrap();
    let own = secrets[0].secret.reveal();
    let other = Secret::generate(world.service.ids()).reveal();
    let verify = format!("{page}/verify");
    for (secret, body, says) in [
        (&own, body.as_str(), "The signature is right."),
        (&other, body.as_str(), "The signature is wrong"),
        (&own, "{}", "The signature is wrong"),
    ] {
        let fields = [("headers", headers.as_str()), ("body", body), ("secret", secret.as_str())];
        let answer = browser.submit(&verify, &verify, &fields).await;
        assert!(answer.body.contains(says), "{says}: {}", answer.body);
        assert!(!answer.body.contains(secret.as_str()));
    }
}

#[tokio::test]
async fn a_delivery_that_was_given_up_is_resent() {
    let (world, mut browser, caller) = begin().await;
    let hook = world.hook(&caller).await;
    let delivery = world
        .tried(&caller, hook.id, |record| {
            (record.delivered, record.status) = (false, Some(500));
            record.error = Some(("status".into(), "receiver answered 500".into()));
        })
        .await;
    let page = world.path(&format!("/deliveries/{delivery}"));
    let answer = browser.submit(&page, &format!("{page}/resend"), &[]).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, page.as_str()));
    let shown = browser.get(&page).await.body;
    assert!(shown.contains("The delivery is sent again."), "{shown}");
    let now = world.service.delivery(&caller, delivery.parse().unwrap()).await.unwrap();
    assert_eq!(now.status, tidings_service::DeliveryStatus::Parked);
}
