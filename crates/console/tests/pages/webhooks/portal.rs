use tidings_core::id::HookId;
use tidings_service::{NewHook, PageInput, PortalInput};

use super::begin;
use crate::world::Browser;

/// Ana's portal, and what is not hers: the app's own hook, Ben's hook, and hers.
#[tokio::test]
async fn an_end_user_manages_only_their_own_webhooks_whatever_url_they_guess() {
    let (world, mut owner, caller) = begin().await;
    let everyones = world.hook(&caller).await;
    let theirs = world.tried(&caller, everyones.id, |_| {}).await;
    let mut users = Vec::new();
    for name in ["ana", "ben"] {
        let (user, _) = world.service.upsert_user(&caller, name.into()).await.unwrap();
        users.push(user.id);
    }
    let input = NewHook {
        url: Some("https://example.com/ben".into()),
        triggers: vec!["*".into()],
        user: Some(users[1]),
        ..NewHook::default()
    };
    let bens = world.service.create_hook(&caller, input).await.unwrap().hook;
    let link = PortalInput { user: users[0], ttl_s: 600 };
    let link = world.service.portal_link(&caller, link).await.unwrap();

    let mut ana = world.browser();
    assert_eq!(ana.get("/portal/webhooks").await.status, 401);
    let entered = ana.get(&format!("/portal/{}", link.token)).await;
    assert_eq!((entered.status.as_u16(), entered.location()), (303, "/portal/webhooks"));
    let list = ana.get("/portal/webhooks").await;
    assert_eq!(list.status, 200);
    assert!(list.body.contains("There is none yet"), "{}", list.body);
    for other in ["example.com", "/console/apps", "Inboxes"] {
        assert!(!list.body.contains(other), "{other}: {}", list.body);
    }

    // She makes one; it is hers, whatever she sends.
    let new = "/portal/webhooks/new";
    let fields =
        [("url", "https://example.com/ana"), ("format", "native@1"), ("triggers", "native@1 *")];
    let made = ana.submit(new, new, &fields).await;
    assert_eq!(made.status, 303, "{made:?}");
    let hers = world.service.hooks(&caller, &PageInput::default()).await.unwrap().items;
    let hers = hers
        .into_iter()
        .find(|hook| hook.url.as_deref() == Some("https://example.com/ana"))
        .unwrap();
    assert_eq!(hers.user, Some(users[0]));
    let page = format!("/portal/webhooks/{}", hers.id);
    let ben = users[1].to_string();
    let stolen = ana.submit(new, new, &[fields[0], fields[1], fields[2], ("user", &ben)]).await;
    assert_ne!(stolen.status, 303, "{stolen:?}");
    let shown = ana.get(&page).await;
    let secret = ana.post(&format!("{page}/secret/reveal"), &shown.csrf().unwrap(), &[]).await;
    assert!(secret.body.contains("whsec_"), "{}", secret.body);

    nothing_else_is_there(&mut ana, &shown.csrf().unwrap(), hers.id, [everyones.id, bens.id]).await;
    let delivery = format!("/portal/deliveries/{theirs}");
    for path in ["", "/live", "/verify"] {
        assert_eq!(ana.get(&format!("{delivery}{path}")).await.status, 404, "{path}");
    }
    for path in ["/resend", "/curl"] {
        assert_eq!(
            ana.post(&format!("{delivery}{path}"), &shown.csrf().unwrap(), &[]).await.status,
            404,
            "{path}"
        );
    }
    // The console is another door, and each opens with its own key.
    assert_eq!(ana.get("/console/").await.status, 303);
    assert_eq!(owner.get("/portal/webhooks").await.status, 401);
    world.clock.advance_ms(601_000);
    assert_eq!(ana.get("/portal/webhooks").await.status, 401);
}

/// Whatever is asked of hooks that are not hers, the answer is that there are none.
async fn nothing_else_is_there(ana: &mut Browser, csrf: &str, hers: HookId, foreign: [HookId; 2]) {
    for hook in foreign {
        let page = format!("/portal/webhooks/{hook}");
        for path in ["", "/live", "/edit", "/delete", "/secret", "/replay", "/deliveries"] {
            assert_eq!(ana.get(&format!("{page}{path}")).await.status, 404, "{path}");
        }
        for path in [
            "/test",
            "/pause",
            "/enable",
            "/edit",
            "/delete",
            "/secret/reveal",
            "/secret/rotate",
            "/replay",
        ] {
            assert_eq!(ana.post(&format!("{page}{path}"), csrf, &[]).await.status, 404, "{path}");
        }
        let into = [("hours", "24"), ("into", &*hook.to_string())];
        let count = format!("/portal/webhooks/{hers}/replay/count");
        assert_eq!(ana.post(&count, csrf, &into).await.status, 404);
    }
}

#[tokio::test]
async fn other_tokens_do_not_open_the_portal() {
    let (world, owner, caller) = begin().await;
    let key = tidings_service::NewKey {
        name: "k".into(),
        scopes: vec![tidings_service::Scope::Hooks],
        ..Default::default()
    };
    let key = world.service.create_key(&caller, key).await.unwrap();
    let mut browser = world.browser();
    for token in
        [key.token.reveal(), owner.cookies["tidings"].as_str(), "tdu_x", "..", "%0d%0aset-cookie:x"]
    {
        let answer = browser.get(&format!("/portal/{token}")).await;
        assert!(matches!(answer.status.as_u16(), 401 | 404), "{token}: {answer:?}");
        assert!(!browser.cookies.contains_key("tidings-portal"), "{token}");
    }
}
