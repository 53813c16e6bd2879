//! Access tokens: refreshed once, stored before use, and only proof ends an account.

use std::sync::Arc;

use futures_util::future::join_all;
use tidings_engine::sync::{Cadence, Passed, Syncer};
use tidings_simulators::google::{PERSON, refusal};
use tidings_simulators::oauth::TokenFailure;
use tidings_simulators::server::{Fault, Gate};
use tidings_store::AccountStatus;

use crate::google_world::{World, event};

#[tokio::test]
async fn an_expired_token_is_refreshed_and_the_rotated_one_is_stored() {
    let mut world = World::watched().await;
    world.google.oauth().rules(|rules| rules.rotate = true);
    let mut seen = vec![world.credential().await.refresh_token];
    for round in 1..=3 {
        world.clock.advance_ms(3_600_000);
        world.expect(&[]).await;
        let refresh_token = world.credential().await.refresh_token;
        assert!(!seen.contains(&refresh_token), "round {round}: a new refresh token is stored");
        seen.push(refresh_token);
    }
    assert_eq!(world.google.oauth().refresh_tokens(PERSON), 1);
}

#[tokio::test]
async fn a_refused_token_is_refreshed_once_before_it_counts_as_a_refusal() {
    let mut world = World::watched().await;
    world.google.create_event(PERSON, &event("A"));
    world.google.oauth().expire_access();
    world.expect(&["event.created A"]).await;
    assert_eq!(world.google.oauth().counts().refreshes, 1);
}

#[tokio::test]
async fn many_that_need_a_token_at_once_refresh_once() {
    let world = World::watched().await;
    let before = world.google.oauth().counts().refreshes;
    world.google.oauth().rules(|rules| rules.rotate = true);
    world.clock.advance_ms(3_600_000);
    let syncer = Arc::new(world.syncer());
    let account = world.account().await;
    let passes = (0..8).map(|_| syncer.pass(account.clone()));
    for passed in join_all(passes).await {
        assert_eq!(passed.unwrap(), Passed::Synced);
    }
    assert_eq!(world.google.oauth().counts().refreshes - before, 1);
}

/// Two processes refresh with the same, rotated token: the one that comes too late is refused, and goes on
/// with what the other stored.
#[tokio::test]
async fn whoever_loses_the_race_to_refresh_adopts_the_winners_token() {
    let mut world = World::watched().await;
    world.google.oauth().rules(|rules| rules.rotate = true);
    world.clock.advance_ms(3_600_000);
    let (here, there) = (world.syncer(), Syncer::new(world.other_process(), Cadence::default()));
    let account = world.account().await;
    let (here, there) = tokio::join!(here.pass(account.clone()), there.pass(account));
    for passed in [here.unwrap(), there.unwrap()] {
        assert!(matches!(passed, Passed::Synced | Passed::Failed(_)), "{passed:?}");
    }
    assert_eq!(world.account().await.status, AccountStatus::Active);
    world.expect(&[]).await;
}

/// A pass that ends, as at a shutdown, while the provider rotates: the new token is stored all the same.
#[tokio::test]
async fn a_refresh_that_nobody_waits_for_any_more_is_stored() {
    let mut world = World::watched().await;
    world.google.oauth().rules(|rules| rules.rotate = true);
    world.clock.advance_ms(3_600_000);
    let before = world.credential().await.refresh_token;
    let gate = Gate::default();
    world.google.faults().next("POST", "/token", Fault::HeldAfter(gate.clone()));
    let (syncer, account) = (world.syncer(), world.account().await);
    let pass = tokio::spawn(async move { syncer.pass(account).await });
    gate.reached().await;
    pass.abort();
    assert!(pass.await.unwrap_err().is_cancelled());
    gate.open();
    world.settled().await;
    assert_ne!(world.credential().await.refresh_token, before);
    world.expect(&[]).await;
}

#[tokio::test]
async fn only_proof_ends_an_account() {
    for (what, failure, ends) in [
        ("outage", TokenFailure::Status(503), false),
        ("busy", TokenFailure::Status(429), false),
        ("operator", TokenFailure::Error("invalid_client".into()), false),
        ("operator too", TokenFailure::Error("unauthorized_client".into()), false),
        ("withdrawn", TokenFailure::Error("invalid_grant".into()), true),
    ] {
        let mut world = World::watched().await;
        world.clock.advance_ms(3_600_000);
        world.google.oauth().rules(|rules| rules.failures = vec![failure]);
        let passed = world.poll().await;
        let told = world.told().await;
        if ends {
            assert_eq!(passed, Passed::Deactivated, "{what}");
            assert_eq!(told, ["account.inactive"]);
            assert_eq!(world.account().await.status, AccountStatus::Inactive);
        } else {
            assert!(matches!(passed, Passed::Failed(_)), "{what}: {passed:?}");
            assert_eq!(told, [""; 0], "{what}");
            world.expect(&[]).await;
        }
    }
}

#[tokio::test]
async fn a_withdrawn_consent_ends_the_account_with_one_change() {
    let mut world = World::watched().await;
    world.google.oauth().withdraw(PERSON);
    assert_eq!(world.poll().await, Passed::Deactivated);
    assert_eq!(world.told().await, ["account.inactive"]);
}

#[tokio::test]
async fn a_401_after_a_forced_refresh_is_proof() {
    let mut world = World::watched().await;
    let refused = refusal(401, "authError", "Invalid Credentials");
    world.google.faults().always(1.0, "GET", "/calendar/v3/", Fault::Instead(refused));
    let before = world.google.oauth().counts().refreshes;
    assert_eq!(world.poll().await, Passed::Deactivated);
    assert_eq!(world.told().await, ["account.inactive"]);
    assert_eq!(world.google.oauth().counts().refreshes - before, 1);
}
