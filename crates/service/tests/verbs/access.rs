//! How hooks get in at their receivers, what apps sign with, and receivers that are asked first.

use tidings_core::access::{Access, Auth, AuthKind, ClientCredentials, Hidden};
use tidings_core::hook::{Consent, HookStatus};
use tidings_core::seal::Place;
use tidings_core::sign::{Scheme, SigningKey};
use tidings_service::{AccessChanges, EnableFrom, Error, HookChanges, NewHook, Reach, Verify};
use tidings_store as store;

use crate::setup::{Setup, new_hook, pointers};

fn hidden(text: &str) -> Hidden {
    Hidden::from(text.to_owned())
}

fn access(headers: &[(&str, &str)], auth: Option<Auth>) -> AccessChanges {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), hidden(value)));
    AccessChanges { headers: Some(headers.collect()), auth: Some(auth), client_certificate: None }
}

fn reaching(reach: Reach) -> NewHook {
    NewHook { reach, ..new_hook() }
}

fn audit(action: &'static str, object: String) -> store::AuditEntry {
    let detail = serde_json::Value::Null;
    store::AuditEntry {
        actor: "system".into(),
        action,
        object,
        denied: false,
        address: None,
        detail,
    }
}

async fn stored(setup: &Setup) -> store::Hook {
    setup.store.hooks(1, None, 0, 10).await.unwrap().pop().unwrap()
}

async fn opened(setup: &Setup) -> Option<Access> {
    let row = setup.store.hook_access(stored(setup).await.hook_no).await.unwrap()?;
    let place = Place { table: "hook_access", column: "sealed", app: setup.app, row: row.id };
    Access::from_json(&setup.keyring.open(place, &row.sealed).unwrap())
}

#[tokio::test]
async fn an_access_is_sealed_told_of_by_kind_and_changed_piece_by_piece() {
    let setup = Setup::new().await;
    let auth = Auth::Bearer { token: hidden("hush") };
    let reach = Reach { access: access(&[("X-Key", "hush")], Some(auth)), ..Reach::default() };
    let hook = setup.service.create_hook(&setup.owner, reaching(reach)).await.unwrap().hook;
    assert_eq!(
        (hook.access.headers.as_slice(), hook.access.auth),
        (&["x-key".to_owned()][..], Some(AuthKind::Bearer))
    );
    assert!(!format!("{hook:?}").contains("hush"));
    let raw = setup.store.hook_access(stored(&setup).await.hook_no).await.unwrap().unwrap();
    assert!(!raw.sealed.windows(4).any(|bytes| bytes == b"hush"));

    let change = async |access: AccessChanges| {
        let reach = Reach { access, ..Reach::default() };
        let changes = HookChanges { reach, ..HookChanges::default() };
        setup.service.update_hook(&setup.owner, hook.id, changes).await.unwrap()
    };
    let basic = Auth::Basic { username: hidden("ada"), password: hidden("pw") };
    let only_auth = AccessChanges { auth: Some(Some(basic)), ..AccessChanges::default() };
    assert_eq!(change(only_auth).await.access.auth, Some(AuthKind::Basic));
    let kept = opened(&setup).await.unwrap();
    assert_eq!(kept.headers, [("x-key".to_owned(), hidden("hush"))]);
    let cleared = change(access(&[], None)).await;
    assert!(cleared.access.is_empty());
    assert_eq!(opened(&setup).await, None);
}

#[tokio::test]
async fn an_access_that_does_not_open_any_more_is_replaced_whole() {
    let setup = Setup::new().await;
    let key = [("x-key", "hush")];
    let reach = Reach { access: access(&key, None), ..Reach::default() };
    let hook = setup.service.create_hook(&setup.owner, reaching(reach)).await.unwrap().hook;
    let row = stored(&setup).await;
    let id = setup.store.hook_access(row.hook_no).await.unwrap().unwrap().id;
    let broken = store::NewSecret { id, sealed: vec![0; 64] };
    let update = store::HookUpdate { access: Some(Some(broken)), ..store::HookUpdate::default() };
    let entry = audit("hook.update", hook.id.to_string());
    setup.store.update_hook(row.hook_no, update, entry, setup.clock.now()).await.unwrap();

    let change = async |access| {
        let reach = Reach { access, ..Reach::default() };
        let changes = HookChanges { reach, ..HookChanges::default() };
        setup.service.update_hook(&setup.owner, hook.id, changes).await
    };
    assert!(matches!(change(access(&key, None)).await, Err(Error::Internal)));
    let whole = AccessChanges { client_certificate: Some(None), ..access(&key, None) };
    assert_eq!(change(whole).await.unwrap().access.headers, ["x-key"]);
    assert_eq!(opened(&setup).await.unwrap().headers, [("x-key".to_owned(), hidden("hush"))]);
}

#[tokio::test]
async fn bad_access_is_named_by_field_and_never_repeated() {
    let setup = Setup::new().await;
    let oauth2 = |url: &str| {
        Auth::Oauth2(ClientCredentials {
            token_url: url.into(),
            client_id: hidden("us"),
            client_secret: hidden("hush"),
            scope: None,
            audience: None,
        })
    };
    for (changes, expect) in [
        (access(&[("host", "hush")], None), "/access/headers/host"),
        (access(&[("x-a", "hush\r\nx: y")], None), "/access/headers/x-a"),
        (access(&[], Some(Auth::Bearer { token: hidden("hush hush") })), "/access/auth/token"),
        (access(&[], Some(oauth2("https://169.254.169.254/t"))), "/access/auth/token_url"),
        (access(&[], Some(oauth2("http://id.example.com/t"))), "/access/auth/token_url"),
    ] {
        let reach = Reach { access: changes, ..Reach::default() };
        let refused = setup.service.create_hook(&setup.owner, reaching(reach)).await;
        let words = refused.as_ref().unwrap_err().to_string();
        assert!(!words.contains("hush"), "{words}");
        assert_eq!(pointers(refused), [expect]);
    }
    let reach = Reach { signing: Some(vec![]), ..Reach::default() };
    assert_eq!(
        pointers(setup.service.create_hook(&setup.owner, reaching(reach)).await),
        ["/signing"]
    );
}

#[tokio::test]
async fn credentials_do_not_follow_a_hook_to_another_origin() {
    let setup = Setup::new().await;
    let reach = Reach { access: access(&[("x-key", "hush")], None), ..Reach::default() };
    let hook = setup.service.create_hook(&setup.owner, reaching(reach)).await.unwrap().hook;
    for (url, anew, good) in [
        ("https://example.com/other", false, true),
        ("https://evil.example.org/", false, false),
        ("https://example.com:8443/", false, false),
        ("https://new.example.org/", true, true),
    ] {
        let access = if anew { access(&[], None) } else { AccessChanges::default() };
        let reach = Reach { access, ..Reach::default() };
        let changes = HookChanges { url: Some(url.into()), reach, ..HookChanges::default() };
        let changed = setup.service.update_hook(&setup.owner, hook.id, changes).await;
        match good {
            true => assert_eq!(changed.unwrap().url.as_deref(), Some(url)),
            false => assert_eq!(pointers(changed), ["/url"]),
        }
    }
}

#[tokio::test]
async fn signing_keys_are_made_on_first_need_and_rotated() {
    let setup = Setup::new().await;
    setup.hook(&setup.owner).await;
    assert_eq!(setup.service.webhook_keys(setup.app).await.unwrap(), []);
    for schemes in [vec![Scheme::V1, Scheme::V1a], vec![Scheme::V1a]] {
        let reach = Reach { signing: Some(schemes.clone()), ..Reach::default() };
        let made = setup.service.create_hook(&setup.owner, reaching(reach)).await.unwrap();
        assert_eq!(made.hook.signing.schemes(), schemes);
    }
    let keys = setup.service.webhook_keys_of_only_app().await.unwrap();
    assert_eq!(keys.len(), 1);
    let rows = setup.store.signing_keys(1, setup.clock.now()).await.unwrap();
    let place = Place { table: "signing_key", column: "sealed", app: setup.app, row: rows[0].id };
    let seed = setup.keyring.open(place, &rows[0].sealed).unwrap();
    assert_eq!(SigningKey::from_seed(&seed).unwrap().public(), keys[0].key);

    let rotate = |overlap| setup.service.rotate_webhook_key(&setup.owner, setup.app, overlap);
    assert_eq!(pointers(rotate(Some(-1)).await), ["/overlap_ms"]);
    let both = rotate(Some(60_000)).await.unwrap();
    assert_eq!((both[0].retires_at, both[1].key), (None, keys[0].key));
    setup.clock.advance_ms(60_000);
    let left = setup.service.webhook_keys(setup.app).await.unwrap();
    assert_eq!((left.len(), left[0].key), (1, both[0].key));

    let other = setup.other_app("b").await;
    let refused = setup.service.rotate_webhook_key(&other, setup.app, None).await;
    assert!(matches!(refused, Err(Error::NotFound("app"))), "{refused:?}");
    assert_eq!(setup.service.webhook_keys(other.app_id().unwrap()).await.unwrap(), []);
}

#[tokio::test]
async fn only_apps_that_sign_count_where_receivers_look_for_keys() {
    let setup = Setup::new().await;
    let found = async || setup.service.webhook_keys_of_only_app().await;
    assert_eq!(found().await.unwrap(), []);
    let other = setup.other_app("b").await;
    setup.other_app("c").await;
    let reach = || Reach { signing: Some(vec![Scheme::V1a]), ..Reach::default() };
    setup.service.create_hook(&other, reaching(reach())).await.unwrap();
    let of_other = setup.service.webhook_keys(other.app_id().unwrap()).await.unwrap();
    assert_eq!((of_other.len(), found().await.unwrap()), (1, of_other));

    setup.service.create_hook(&setup.owner, reaching(reach())).await.unwrap();
    let several = found().await;
    assert!(matches!(several, Err(Error::NotFound(_))), "{several:?}");
    setup.service.delete_app(&setup.owner, other.app_id().unwrap()).await.unwrap();
    let own = setup.service.webhook_keys(setup.app).await.unwrap();
    assert_eq!((own.len(), found().await.unwrap()), (1, own));
}

#[tokio::test]
async fn a_hook_waits_for_its_receivers_consent() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let reach = || Reach { verify: Some(Verify::Options), ..Reach::default() };
    let hook = service.create_hook(&setup.owner, reaching(reach())).await.unwrap().hook;
    assert_eq!((hook.status, hook.consent), (HookStatus::Disabled, Some(Consent::Asked)));
    let enabled = service.enable_hook(&setup.owner, hook.id, EnableFrom::Backlog).await;
    assert!(matches!(enabled, Err(Error::Conflict(_))), "{enabled:?}");
    assert!(service.test_hook(&setup.owner, hook.id).await.is_err());

    // What the engine writes when the receiver agrees.
    let row = stored(&setup).await;
    let given =
        tidings_core::hook::Service { consent: Some(Consent::Given), ..row.service.clone() };
    let update = store::HookUpdate {
        service: Some(given),
        status: Some((HookStatus::Active, None)),
        ..store::HookUpdate::default()
    };
    let entry = audit("hook.verify", hook.id.to_string());
    setup.store.update_hook(row.hook_no, update, entry, setup.clock.now()).await.unwrap();
    let asked_again = service.verify_hook(&setup.owner, hook.id).await.unwrap();
    assert_eq!(
        (asked_again.status, asked_again.consent),
        (HookStatus::Active, Some(Consent::Given))
    );

    let url = Some("https://new.example.org/".to_owned());
    let moved = HookChanges { url, ..HookChanges::default() };
    let moved = service.update_hook(&setup.owner, hook.id, moved).await.unwrap();
    assert_eq!((moved.status, moved.consent), (HookStatus::Disabled, Some(Consent::Asked)));
    assert_eq!(moved.status_reason.as_deref(), Some(Consent::WAITING));
    let unasked = setup.hook(&setup.owner).await.hook;
    let verified = service.verify_hook(&setup.owner, unasked.id).await;
    assert!(matches!(verified, Err(Error::Conflict(_))), "{verified:?}");
}
