//! The beginning of an account: a code becomes tokens and an identity.

use tidings_core::id::Ids;
use tidings_providers::errand::{Errand, Refusal, Reply};
use tidings_providers::oauth::{self, Pkce};
use tidings_providers::provider::Provider;
use tidings_simulators::google::PERSON;
use tidings_simulators::oauth::TokenFailure;
use url::Url;

use crate::google_world::{SCOPES, World};

async fn exchange(world: &World) -> Result<Reply, Refusal> {
    let redirect_uri = Url::parse("https://tidings.test/providers/google/callback").unwrap();
    let pkce = Pkce::new(&Ids::from_os());
    let app = &world.settings.google.as_ref().unwrap().oauth;
    let authorize = oauth::authorize(app, &redirect_uri, "state", &pkce, None);
    let back = world.follow(&authorize).await;
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let errand = Errand::Exchange {
        provider: Provider::Google,
        code: code.into(),
        verifier: pkce.verifier,
        redirect_uri,
    };
    world.errands().perform(errand).await
}

#[tokio::test]
async fn a_code_becomes_tokens_and_an_identity() {
    let world = World::new(None).await;
    let Reply::Connected { tokens, identity } = exchange(&world).await.unwrap() else {
        panic!("no tokens")
    };
    assert!(tokens.refresh_token.is_some());
    assert!(tokens.expires_at_ms > world.clock.now().0);
    assert_eq!(identity.email.as_deref(), Some(PERSON));
}

#[tokio::test]
async fn a_permission_that_was_unticked_is_named() {
    let world = World::new(None).await;
    world.google.oauth().rules(|rules| {
        rules.scopes = Some(vec!["openid".into(), "email".into(), SCOPES[2].into()]);
    });
    let refused = exchange(&world).await.unwrap_err();
    assert!(
        matches!(&refused, Refusal::Forbidden(why) if why.contains("calendarlist")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_failed_exchange_says_whose_fault_it_is() {
    for (failure, expected) in [
        (TokenFailure::Error("invalid_grant".into()), "invalid"),
        (TokenFailure::Error("invalid_client".into()), "operator"),
        (TokenFailure::Status(503), "unavailable"),
    ] {
        let world = World::new(None).await;
        world.google.oauth().rules(|rules| rules.failures = vec![failure.clone()]);
        let got = match exchange(&world).await.unwrap_err() {
            Refusal::Invalid(_) => "invalid",
            Refusal::Operator(_) => "operator",
            Refusal::Unavailable { .. } => "unavailable",
            other => panic!("{other:?}"),
        };
        assert_eq!(got, expected, "{failure:?}");
    }
}
