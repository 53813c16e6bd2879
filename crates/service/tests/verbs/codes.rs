use std::collections::HashMap;

use tidings_core::settings::AppSettings;
use tidings_providers::errand::{Errand, Refusal};
use tidings_service::{AppChanges, Caller, CodeConnection, ConsentPage, Error, NewKey, Scope};
use url::Url;

use crate::desk::connected;
use crate::setup::{Setup, pointers};

const FIRST: &str = "https://app.example.com/first";
const SECOND: &str = "https://app.example.com/second";

/// A caller whose app sends people back to [`FIRST`] and [`SECOND`].
async fn with_redirects(setup: &Setup, caller: &Caller) -> Caller {
    let redirect_uris = vec![FIRST.into(), SECOND.into()];
    let settings = AppSettings { redirect_uris, ..AppSettings::default() };
    let changes = AppChanges { settings: Some(settings), ..AppChanges::default() };
    let app = caller.app_id().unwrap();
    setup.service.update_app(caller, app, changes).await.unwrap();
    setup.admin_of(app).await
}

fn page(redirect_uri: Option<&str>) -> ConsentPage {
    let redirect_uri = redirect_uri.map(Into::into);
    ConsentPage { provider: "google".into(), redirect_uri, ..ConsentPage::default() }
}

fn code(code: &str) -> CodeConnection {
    CodeConnection {
        provider: "google".into(),
        code: code.to_owned().into(),
        name: Some("Ada".into()),
        ..CodeConnection::default()
    }
}

async fn query(setup: &Setup, caller: &Caller, input: ConsentPage) -> HashMap<String, String> {
    let url = setup.service.consent_page(caller, input).await.unwrap();
    Url::parse(&url).unwrap().query_pairs().into_owned().collect()
}

#[tokio::test]
async fn people_come_back_to_an_address_of_the_app_only() {
    let (setup, _) = Setup::new().await.with_desk(|_| connected("sub-1"));
    let caller = with_redirects(&setup, &setup.owner).await;
    for (asked, expected) in [(None, FIRST), (Some(FIRST), FIRST), (Some(SECOND), SECOND)] {
        let query = query(&setup, &caller, page(asked)).await;
        assert_eq!(query["redirect_uri"], expected);
        assert!(!query.contains_key("state"), "there is none unless the app has one");
    }
    let evil = setup.service.consent_page(&caller, page(Some("https://evil.example/"))).await;
    assert_eq!(pointers(evil), ["/redirectUrl"]);
    let other = setup.other_app("without addresses").await;
    assert_eq!(pointers(setup.service.consent_page(&other, page(None)).await), ["/redirectUrl"]);
    let icloud = ConsentPage { provider: "apple".into(), ..ConsentPage::default() };
    assert_eq!(pointers(setup.service.consent_page(&caller, icloud).await), ["/provider"]);
    let reader = setup.with_scopes(&[Scope::Read]).await;
    let refused = setup.service.consent_page(&reader, page(None)).await;
    assert_eq!(refused, Err(Error::Forbidden("accounts")));
}

#[tokio::test]
async fn a_verifier_belongs_to_one_app_and_is_not_kept() {
    let (setup, asked) = Setup::new().await.with_desk(|_| connected("sub-1"));
    let caller = with_redirects(&setup, &setup.owner).await;
    let other = with_redirects(&setup, &setup.other_app("other").await).await;
    let challenge = query(&setup, &caller, page(None)).await["code_challenge"].clone();
    assert_eq!(challenge, query(&setup, &caller, page(Some(SECOND))).await["code_challenge"]);
    assert_ne!(challenge, query(&setup, &other, page(None)).await["code_challenge"]);
    setup.service.connect_by_code(&caller, code("c")).await.unwrap().unwrap();
    let Errand::Exchange { verifier, .. } = asked.last() else { panic!() };
    assert_eq!(tidings_providers::oauth::Pkce::of(verifier).challenge, challenge);
}

#[tokio::test]
async fn a_code_of_the_same_person_connects_the_same_account() {
    let (setup, _) = Setup::new().await.with_desk(|errand| match errand {
        Errand::Exchange { code, .. } if code.as_str() != "bad" => connected(code),
        _ => Err(Refusal::Invalid("it was used".into())),
    });
    let caller = with_redirects(&setup, &setup.owner).await;
    let connect =
        async |text: &str| setup.service.connect_by_code(&caller, code(text)).await.unwrap();
    let first = connect("sub-1").await.unwrap();
    assert_eq!((first.account.name.as_str(), first.account.provider.as_str()), ("Ada", "google"));
    assert!(!first.scopes.is_empty(), "what was asked for when the provider does not say");
    assert_eq!(connect("sub-1").await.unwrap().account.id, first.account.id);
    assert_ne!(connect("sub-2").await.unwrap().account.id, first.account.id);
    assert_eq!(connect("bad").await.unwrap_err().code, "invalid_code");
    assert_eq!(connect("").await.unwrap_err().code, "invalid_code");
}

#[tokio::test]
async fn a_public_name_is_that_of_a_living_key_for_accounts_only() {
    let setup = Setup::new().await;
    let made = async |name: &str, scopes: &[Scope], expires_at| {
        let new =
            NewKey { name: name.into(), scopes: scopes.to_vec(), expires_at, ..NewKey::default() };
        setup.service.create_key(&setup.owner, new).await.unwrap().key.id
    };
    let soon = Some(setup.clock.now().plus_ms(1_000));
    made("web", &[Scope::Accounts], None).await;
    made("short", &[Scope::Accounts], soon).await;
    made("more", &[Scope::Accounts, Scope::Read], None).await;
    let revoked = made("revoked", &[Scope::Accounts], None).await;
    setup.service.revoke_key(&setup.owner, revoked).await.unwrap();
    setup.clock.advance_ms(1_000);
    let found = async |name: &str| setup.service.public_caller(setup.app, name).await.map(|_| ());
    assert_eq!(found("web").await, Ok(()));
    assert_eq!(found("short").await, Err(Error::Unauthenticated));
    assert!(matches!(found("more").await, Err(Error::Forbidden(_))));
    for name in ["revoked", "nobody", ""] {
        assert_eq!(found(name).await, Err(Error::NotFound("token")), "{name}");
    }
    let other = setup.other_app("other").await.app_id().unwrap();
    let elsewhere = setup.service.public_caller(other, "web").await.map(|_| ());
    assert_eq!(elsewhere, Err(Error::NotFound("token")));
}
