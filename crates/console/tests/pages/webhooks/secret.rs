use regex::Regex;
use tidings_core::limits;

use super::begin;

#[tokio::test]
async fn the_secret_is_on_no_page_but_the_one_that_reveals_it() {
    let (world, mut browser, caller) = begin().await;
    let created = {
        let input = tidings_service::NewHook {
            url: Some("https://example.com/hook".into()),
            triggers: vec!["*".into()],
            ..Default::default()
        };
        world.service.create_hook(&caller, input).await.unwrap()
    };
    let secret = created.secret.reveal();
    let secrets = Regex::new("whsec_[A-Za-z0-9+/=]{8,}").unwrap();
    let delivery = world.tried(&caller, created.hook.id, |_| {}).await;
    let page = world.path(&format!("/webhooks/{}", created.hook.id));
    for path in [
        world.path("/webhooks"),
        page.clone(),
        format!("{page}/edit"),
        format!("{page}/secret"),
        format!("{page}/secret/reveal"),
        format!("{page}/replay"),
        format!("{page}/deliveries"),
        world.path(&format!("/deliveries/{delivery}")),
        world.path(&format!("/deliveries/{delivery}/verify")),
        "/console/audit".into(),
    ] {
        let shown = browser.get(&path).await;
        assert!(!secrets.is_match(&shown.body), "{path}: {}", shown.body);
        assert!(!shown.body.contains(&secret), "{path}");
    }
    let revealed =
        browser.submit(&format!("{page}/secret"), &format!("{page}/secret/reveal"), &[]).await;
    assert_eq!(revealed.status, 200);
    assert!(revealed.body.contains(&secret), "{}", revealed.body);
    assert_eq!(revealed.headers["cache-control"], "no-store");
    let audit = world.service.audit(&caller, &Default::default()).await.unwrap().items;
    let looks = audit.iter().filter(|line| line.action == "hook.secret.reveal" && !line.denied);
    assert_eq!(looks.count(), 1);
}

#[tokio::test]
async fn a_secret_is_revealed_and_rotated_only_after_the_password_was_given_lately() {
    let (world, mut browser, caller) = begin().await;
    let hook = world.hook(&caller).await;
    let page = world.path(&format!("/webhooks/{}/secret", hook.id));
    let csrf = browser.csrf().await;
    let rotated = browser.post(&format!("{page}/rotate"), &csrf, &[("overlap_h", "1")]).await;
    assert_eq!(rotated.status, 200);
    let secrets = Regex::new("whsec_[A-Za-z0-9+/=]+").unwrap();
    let new = secrets.find(&rotated.body).expect("the new secret is shown").as_str().to_owned();
    let revealed = browser.post(&format!("{page}/reveal"), &csrf, &[]).await;
    assert!(
        revealed.body.contains(&new) && revealed.body.contains("Replaced"),
        "{}",
        revealed.body
    );
    let wrong = browser.post(&format!("{page}/rotate"), &csrf, &[("secret", "short")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("id=\"f-secret-error\""), "{}", wrong.body);

    world.clock.advance_ms(limits::OPERATOR_AUTHENTICATED_MS + 1);
    for action in ["reveal", "rotate"] {
        let asked = browser.post(&format!("{page}/{action}"), &csrf, &[]).await;
        assert_eq!(asked.status, 303, "{action}");
        assert!(asked.location().starts_with("/console/confirm?next="), "{}", asked.location());
    }
}
