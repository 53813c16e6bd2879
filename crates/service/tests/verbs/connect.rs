use tidings_core::id::UserId;
use tidings_service::{
    AppChanges, Caller, ConnectToken, Error, Hook, NewAccount, PageInput, SubscribeInput,
};

use crate::accounts::new_account;
use crate::setup::{Setup, new_hook, pointers};

const CALENDAR: &str = "/dav/ada/work/";
const HOME: &str = "/dav/ada/home/";

/// An app with a webhook URL and an end user whose account has two calendars.
async fn connected() -> (Setup, Caller) {
    let setup = Setup::new().await;
    let webhook_url = Some(Some("https://example.com/connect".into()));
    let changes = AppChanges { webhook_url, ..AppChanges::default() };
    setup.service.update_app(&setup.owner, setup.app, changes).await.unwrap();
    let ada = user_with(&setup, "ada", &[CALENDAR, HOME]).await;
    let caller = bearer(&setup, ada).await;
    (setup, caller)
}

async fn user_with(setup: &Setup, external_id: &str, calendars: &[&str]) -> UserId {
    let (user, _) = setup.service.upsert_user(&setup.owner, external_id.into()).await.unwrap();
    let input = NewAccount { user: Some(user.id), ..new_account() };
    let account = setup.service.connect_account(&setup.owner, input).await.unwrap();
    for calendar in calendars {
        setup.calendar(account.id, calendar).await;
    }
    user.id
}

async fn bearer(setup: &Setup, user: UserId) -> Caller {
    let input = ConnectToken::default();
    let minted = setup.service.mint_connect_token(&setup.owner, user, input).await.unwrap();
    setup.service.authenticate(minted.token.reveal(), None).await.unwrap()
}

fn to(calendar: &str, channel: Option<&str>) -> SubscribeInput {
    SubscribeInput {
        provider: "caldav".into(),
        calendar_id: calendar.into(),
        channel_id: channel.map(Into::into),
        expiration: None,
    }
}

async fn hooks(setup: &Setup) -> Vec<Hook> {
    setup.service.hooks(&setup.owner, &PageInput::default()).await.unwrap().items
}

#[tokio::test]
async fn a_subscription_is_a_hook_for_one_calendar_of_the_user() {
    let (setup, ada) = connected().await;
    let made = setup.service.connect_subscribe(&ada, to(CALENDAR, None)).await.unwrap();
    assert!(made.channel_id.len() >= 22, "a channel id has at least 128 bits");
    let hook = hooks(&setup).await.remove(0);
    assert_eq!((hook.id, hook.url), (made.hook, None));
    assert_eq!((hook.format.as_str(), hook.external_id), ("connect@1", Some(made.channel_id)));
    assert_eq!(hook.triggers, ["event.*"]);
    assert!(hook.user.is_some() && hook.account.is_some() && hook.calendar.is_some());
}

#[tokio::test]
async fn a_new_subscription_replaces_only_the_users_own_of_the_same_calendar() {
    let (setup, ada) = connected().await;
    // Another user who sees the same calendar, as when it is shared.
    let bob = user_with(&setup, "bob", &[CALENDAR]).await;
    let bob = bearer(&setup, bob).await;
    let subscribe = |caller, input| setup.service.connect_subscribe(caller, input);
    setup.hook(&setup.owner).await;
    subscribe(&bob, to(CALENDAR, Some("c"))).await.unwrap();
    subscribe(&ada, to(HOME, Some("home"))).await.unwrap();
    subscribe(&ada, to(CALENDAR, Some("a"))).await.unwrap();
    subscribe(&ada, to(CALENDAR, Some("b"))).await.unwrap();
    subscribe(&ada, to(CALENDAR, Some("b"))).await.unwrap();
    let channels: Vec<_> =
        hooks(&setup).await.into_iter().filter_map(|hook| hook.external_id).collect();
    assert_eq!(channels, ["c", "home", "b"]);
    let taken = subscribe(&ada, to(CALENDAR, Some("home"))).await;
    assert!(matches!(taken, Err(Error::Conflict(_))), "{taken:?}");
    assert!(subscribe(&ada, to(CALENDAR, Some("c"))).await.is_ok(), "unique for each user only");
}

#[tokio::test]
async fn two_requests_at_once_leave_one_subscription() {
    let (setup, ada) = connected().await;
    let subscribe = || setup.service.connect_subscribe(&ada, to(CALENDAR, None));
    let (one, other) = tokio::join!(subscribe(), subscribe());
    let made = [one.unwrap().hook, other.unwrap().hook];
    let kept = hooks(&setup).await;
    assert!(kept.len() == 1 && made.contains(&kept[0].id), "{kept:?} of {made:?}");
}

#[tokio::test]
async fn what_cannot_be_subscribed_to_is_refused() {
    let (setup, ada) = connected().await;
    let service = &setup.service;
    let unsupported = SubscribeInput { provider: "zoom".into(), ..to(CALENDAR, None) };
    let refused = service.connect_subscribe(&ada, unsupported).await;
    assert!(matches!(refused, Err(Error::Malformed(_))), "{refused:?}");
    let other = user_with(&setup, "eve", &["/dav/eve/secret/"]).await;
    assert!(other != ada_id(&setup).await);
    for calendar in ["/dav/eve/secret/", "/nowhere/", ""] {
        let refused = service.connect_subscribe(&ada, to(calendar, None)).await;
        assert_eq!(refused.err(), Some(Error::NotFound("calendar")), "{calendar}");
    }
    let apple = SubscribeInput { provider: "apple".into(), ..to(CALENDAR, None) };
    let refused = service.connect_subscribe(&ada, apple).await;
    assert_eq!(refused.err(), Some(Error::NotFound("calendar")));
    let past = SubscribeInput { expiration: Some(setup.clock.now()), ..to(CALENDAR, Some(" ")) };
    let refused = service.connect_subscribe(&ada, past).await;
    assert_eq!(pointers(refused), ["/channelId", "/expiration"]);

    let changes = AppChanges { webhook_url: Some(None), ..AppChanges::default() };
    service.update_app(&setup.owner, setup.app, changes).await.unwrap();
    let again = bearer(&setup, ada_id(&setup).await).await;
    let refused = service.connect_subscribe(&again, to(CALENDAR, None)).await;
    assert!(matches!(refused, Err(Error::Malformed(_))), "{refused:?}");
    assert!(hooks(&setup).await.is_empty());
}

async fn ada_id(setup: &Setup) -> UserId {
    setup.service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0.id
}

#[tokio::test]
async fn unsubscribing_is_idempotent_and_touches_nobody_else() {
    let (setup, ada) = connected().await;
    let bob = user_with(&setup, "bob", &[CALENDAR]).await;
    let bob = bearer(&setup, bob).await;
    let service = &setup.service;
    service.connect_subscribe(&ada, to(CALENDAR, Some("x"))).await.unwrap();
    service.connect_subscribe(&bob, to(CALENDAR, Some("x"))).await.unwrap();
    for existed in [true, false] {
        let done = service.connect_unsubscribe(&ada, "caldav", "x").await.unwrap();
        assert_eq!(done.existed, existed);
    }
    assert_eq!(hooks(&setup).await.len(), 1);
    let refused = service.connect_unsubscribe(&ada, "zoom", "x").await;
    assert!(matches!(refused, Err(Error::Malformed(_))));
}

#[tokio::test]
async fn connect_tokens_and_api_keys_do_not_stand_in_for_each_other() {
    let (setup, ada) = connected().await;
    let service = &setup.service;
    let refused = service.connect_subscribe(&setup.owner, to(CALENDAR, None)).await;
    assert_eq!(refused.err(), Some(Error::Forbidden("connect")));
    assert_eq!(service.create_hook(&ada, new_hook()).await.err(), Some(Error::Forbidden("hooks")));
    assert_eq!(service.changes(&ada, 0, None).await.err(), Some(Error::Forbidden("read")));
    let page = PageInput::default();
    assert!(service.hooks(&ada, &page).await.is_err() && service.apps(&ada, &page).await.is_err());
}
