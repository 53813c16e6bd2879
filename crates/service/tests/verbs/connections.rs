use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tidings_core::limits;
use tidings_core::seal::Place;
use tidings_providers::errand::{Errand, Refusal, Reply};
use tidings_providers::oauth::Credential;
use tidings_service::{
    AccountChanges, AccountQuery, AccountStatus, Caller, Error, NewConnection, PageInput, Password,
};
use url::Url;

use crate::desk::connected;
use crate::setup::{Setup, pointers};

fn google() -> NewConnection {
    NewConnection { provider: "google".into(), ..NewConnection::default() }
}

/// The parameters of the provider's page.
async fn begin(setup: &Setup, caller: &Caller, input: NewConnection) -> HashMap<String, String> {
    let begun = setup.service.begin_connection(caller, input).await.unwrap();
    let url = Url::parse(&begun.authorize_url).unwrap();
    url.query_pairs().into_owned().collect()
}

async fn accounts(setup: &Setup) -> usize {
    let query = AccountQuery::default();
    let page = setup.service.accounts(&setup.owner, query, &PageInput::default()).await;
    page.unwrap().items.len()
}

#[tokio::test]
async fn consent_makes_an_account_and_its_state_works_once() {
    let (setup, asked) = Setup::new().await.with_desk(|_| connected("sub-1"));
    let (user, _) = setup.service.upsert_user(&setup.owner, "ada".into()).await.unwrap();
    let input = NewConnection {
        user: Some(user.id),
        return_to: Some("https://app.example.com/done".into()),
        login_hint: Some("ada@example.com".into()),
        ..google()
    };
    let query = begin(&setup, &setup.owner, input).await;
    assert_eq!(query["login_hint"], "ada@example.com");
    let redirect = "https://tidings.example.com/base/providers/google/callback";
    assert_eq!(query["redirect_uri"], redirect);
    let code = || Ok("the-code".to_owned());
    let finish = || setup.service.finish_connection("google", &query["state"], code());
    let finished = finish().await.unwrap();
    let id = finished.outcome.unwrap();
    assert_eq!(finished.return_to.unwrap().as_str(), "https://app.example.com/done");
    let Errand::Exchange { code, verifier, redirect_uri, .. } = asked.last() else {
        panic!("{:?}", asked.list());
    };
    assert_eq!((code.as_str(), redirect_uri.as_str()), ("the-code", redirect));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    assert_eq!(
        (challenge, &query["code_challenge_method"][..]),
        (query["code_challenge"].clone(), "S256")
    );

    let account = setup.service.account(&setup.owner, id).await.unwrap();
    assert_eq!((account.provider.as_str(), account.status), ("google", AccountStatus::Active));
    assert_eq!((account.external_id.as_deref(), account.user_id), (Some("sub-1"), Some(user.id)));
    assert_eq!(account.name, "ada@example.com");
    let due = setup.store.due_accounts(setup.clock.now(), 10).await.unwrap();
    let place = Place { table: "account", column: "credential", app: setup.app, row: id.0 };
    let opened = setup.keyring.open(place, due[0].credential.as_ref().unwrap()).unwrap();
    assert_eq!(Credential::from_json(&opened).unwrap().access_token.reveal(), "access");

    let again = finish().await.unwrap();
    assert_eq!(again.outcome.unwrap_err().code, "unknown_state");
    assert_eq!((again.return_to, asked.list().len(), accounts(&setup).await), (None, 1, 1));
}

#[tokio::test]
async fn a_wrong_an_old_and_a_strange_state_change_nothing() {
    let (setup, asked) = Setup::new().await.with_desk(|_| connected("sub-1"));
    let long = "x".repeat(limits::CALLBACK_VALUE_BYTES_MAX + 1);
    for (what, provider, state, later_ms) in [
        ("made up", "google", Some("made-up"), 0),
        ("empty", "google", Some(""), 0),
        ("long", "google", Some(long.as_str()), 0),
        ("of another provider", "microsoft", None, 0),
        ("of no provider", "nobody", None, 0),
        ("too old", "google", None, limits::CONNECTING_MAX_MS),
    ] {
        let query = begin(&setup, &setup.owner, google()).await;
        setup.clock.advance_ms(later_ms);
        let state = state.unwrap_or(&query["state"]);
        let code = Ok("the-code".to_owned());
        let finished = setup.service.finish_connection(provider, state, code).await.unwrap();
        assert_eq!(finished.outcome.unwrap_err().code, "unknown_state", "{what}");
    }
    assert_eq!((asked.list().len(), accounts(&setup).await), (0, 0));
}

#[tokio::test]
async fn errors_of_the_provider_are_told_and_change_nothing() {
    let (setup, asked) = Setup::new().await.with_desk(|_| connected("sub-1"));
    for (error, code) in [
        ("access_denied", "access_denied"),
        ("temporarily_unavailable", "provider_unavailable"),
        ("<script>alert(1)</script>", "provider_error"),
    ] {
        let query = begin(&setup, &setup.owner, google()).await;
        let answer = Err(error.to_owned());
        let finished = setup.service.finish_connection("google", &query["state"], answer).await;
        let refused = finished.unwrap().outcome.unwrap_err();
        assert_eq!(refused.code, code);
        assert!(!refused.why.contains('<'), "{}", refused.why);
    }
    let query = begin(&setup, &setup.owner, google()).await;
    let empty = setup.service.finish_connection("google", &query["state"], Ok(String::new())).await;
    assert_eq!(empty.unwrap().outcome.unwrap_err().code, "invalid_code");
    assert_eq!((asked.list().len(), accounts(&setup).await), (0, 0));
}

#[tokio::test]
async fn a_code_that_is_not_taken_makes_no_account() {
    for (refusal, code) in [
        (Refusal::Invalid("the code was used".into()), "invalid_code"),
        (Refusal::Forbidden("these permissions were not given: x".into()), "missing_scopes"),
        (Refusal::Operator("invalid_client".into()), "not_configured"),
        (Refusal::Unavailable { why: "503".into(), after_ms: None }, "provider_unavailable"),
        (Refusal::Busy, "provider_unavailable"),
    ] {
        let (setup, _) = Setup::new().await.with_desk(move |_| Err(refusal.clone()));
        let query = begin(&setup, &setup.owner, google()).await;
        let answer = Ok("the-code".to_owned());
        let finished = setup.service.finish_connection("google", &query["state"], answer).await;
        assert_eq!(finished.unwrap().outcome.unwrap_err().code, code);
        assert_eq!(accounts(&setup).await, 0);
    }
}

#[tokio::test]
async fn connecting_again_keeps_the_account_and_takes_the_same_person_only() {
    let (setup, _) = Setup::new().await.with_desk(|errand| match errand {
        Errand::Exchange { code, .. } => connected(code),
        _ => Ok(Reply::Done),
    });
    let finish = async |input: NewConnection, code: &str| {
        let query = begin(&setup, &setup.owner, input).await;
        let code = Ok(code.to_owned());
        setup.service.finish_connection("google", &query["state"], code).await.unwrap().outcome
    };
    let id = finish(google(), "sub-1").await.unwrap();
    assert_eq!(finish(google(), "sub-1").await.unwrap(), id, "the same person");
    crate::accounts::baseline(&setup, id).await;
    crate::accounts::deactivate(&setup, id).await;
    let status = async || setup.service.account(&setup.owner, id).await.unwrap().status;
    assert_eq!(status().await, AccountStatus::Inactive);
    let again = || NewConnection { account: Some(id), ..google() };
    let other = finish(again(), "sub-2").await.unwrap_err();
    assert_eq!((other.code, status().await), ("other_account", AccountStatus::Inactive));
    assert_eq!(finish(again(), "sub-1").await.unwrap(), id);
    assert_eq!((status().await, accounts(&setup).await), (AccountStatus::Active, 1));
    let kinds = ["account.connected", "account.inactive", "account.connected"];
    assert_eq!(crate::accounts::told(&setup).await, kinds);
    assert_eq!(finish(again(), "sub-1").await.unwrap(), id);
    assert_eq!(crate::accounts::told(&setup).await, kinds, "an active one is no news");

    let query = begin(&setup, &setup.owner, again()).await;
    setup.service.delete_account(&setup.owner, id).await.unwrap();
    let answer = Ok("sub-1".to_owned());
    let late = setup.service.finish_connection("google", &query["state"], answer).await.unwrap();
    assert_eq!(late.outcome.unwrap_err().code, "account_deleted");
    assert_eq!(accounts(&setup).await, 0);
}

#[tokio::test]
async fn bad_fields_of_connections_are_named() {
    let (setup, _) = Setup::new().await.with_desk(|_| connected("sub-1"));
    let query = begin(&setup, &setup.owner, google()).await;
    let code = Ok("the-code".to_owned());
    let finished = setup.service.finish_connection("google", &query["state"], code).await.unwrap();
    let id = finished.outcome.unwrap();
    let account = Some(id);
    let user = setup.service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0.id;
    let to = |url: &str| NewConnection { return_to: Some(url.into()), ..google() };
    let of = |provider: &str| NewConnection { provider: provider.into(), ..google() };
    for (input, expected) in [
        (of("caldav"), "/provider"),
        (of("nobody"), "/provider"),
        (NewConnection { account, ..of("zoom") }, "/provider"),
        (NewConnection { account, user: Some(user), ..google() }, "/user"),
        (to("http://app.example.com/"), "/return_to"),
        (to("https://127.0.0.1/"), "/return_to"),
        (to("javascript:alert(1)"), "/return_to"),
        (to("https://user:secret@app.example.com/"), "/return_to"),
        (NewConnection { login_hint: Some("a\nb".into()), ..google() }, "/login_hint"),
    ] {
        let refused = setup.service.begin_connection(&setup.owner, input.clone()).await;
        assert_eq!(pointers(refused), [expected], "{input:?}");
    }
    let password = Some(Password::new("secret".into()));
    let changes = AccountChanges { password, ..AccountChanges::default() };
    let refused = setup.service.update_account(&setup.owner, id, changes).await;
    assert_eq!(pointers(refused), ["/password"], "tokens come by consent only");
}

#[tokio::test]
async fn what_the_operator_has_not_configured_is_said() {
    let setup = Setup::new().await;
    let refused = setup.service.begin_connection(&setup.owner, google()).await;
    assert_eq!(pointers(refused), ["/provider"]);
    let (desk, _errands) = tokio::sync::mpsc::channel(1);
    let settings =
        tidings_providers::settings::Settings { public_url: None, ..crate::desk::settings() };
    let service = setup.service.clone().with_providers(settings, desk);
    let refused = service.begin_connection(&setup.owner, google()).await;
    assert!(matches!(refused, Err(Error::NotConfigured(_))), "{refused:?}");
}

#[tokio::test]
async fn a_deleted_account_is_revoked_first_and_deleted_whatever_comes_of_that() {
    for (outcome, told) in [
        (Ok(Reply::Done), serde_json::json!({"revoked": true})),
        (
            Err(Refusal::Unavailable { why: "google answers 503".into(), after_ms: None }),
            serde_json::json!({"revoked": false, "why": "google answers 503"}),
        ),
    ] {
        let (setup, asked) = Setup::new().await.with_desk(move |errand| match errand {
            Errand::Exchange { .. } => connected("sub-1"),
            _ => outcome.clone(),
        });
        let query = begin(&setup, &setup.owner, google()).await;
        let code = Ok("the-code".to_owned());
        let finished = setup.service.finish_connection("google", &query["state"], code).await;
        let id = finished.unwrap().outcome.unwrap();
        setup.service.delete_account(&setup.owner, id).await.unwrap();
        assert_eq!(asked.list(), ["Exchange(google)", "Revoke(1)"]);
        assert_eq!(accounts(&setup).await, 0);
        let lines = setup.service.audit(&setup.owner, &PageInput::default()).await.unwrap().items;
        let line = lines.iter().find(|line| line.action == "account.delete").unwrap();
        assert_eq!(line.detail, told);
    }
}

#[tokio::test]
async fn a_deleted_app_gives_its_accounts_back_first_and_is_deleted_whatever_comes_of_that() {
    let late = || Refusal::Unavailable { why: "google answers 503".into(), after_ms: None };
    for (answers, all) in [(vec![Ok(Reply::Done); 20], true), (vec![Err(late()); 20], false)] {
        let (setup, asked) = Setup::new().await.with_desk(move |errand| match errand {
            Errand::Exchange { code, .. } => connected(code),
            Errand::Revoke { account_no } => answers[usize::try_from(*account_no).unwrap()].clone(),
            _ => Err(Refusal::Busy),
        });
        // Nothing to give back, and no errand.
        setup.service.connect_account(&setup.owner, crate::accounts::new_account()).await.unwrap();
        for n in 0..12 {
            let query = begin(&setup, &setup.owner, google()).await;
            let code = Ok(format!("sub-{n}"));
            let finished = setup.service.finish_connection("google", &query["state"], code).await;
            finished.unwrap().outcome.unwrap();
        }
        setup.service.delete_app(&setup.owner, setup.app).await.unwrap();
        let revokes = asked.list().iter().filter(|errand| errand.starts_with("Revoke")).count();
        assert_eq!(revokes, 12);
        let gone = setup.service.app(&setup.owner, setup.app).await;
        assert_eq!(gone.err(), Some(Error::NotFound("app")));
        let rows = setup.store.audit_rows(Some(1), None, 100).await.unwrap();
        let row = rows.iter().find(|row| row.action == "app.delete").unwrap();
        let revoked = if all { 12 } else { 0 };
        assert_eq!(row.detail, serde_json::json!({"revoked": revoked, "all": all}));
    }
}
