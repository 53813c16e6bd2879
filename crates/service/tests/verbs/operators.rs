//! Operators: how the first one is made, how they sign in, and how that ends.

use std::net::IpAddr;

use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_service::{
    Caller, Error, NewOperator, Operator, OperatorChanges, OperatorSession, Origin, PageInput,
    Role, SignIn, SignedIn,
};
use zeroize::Zeroizing;

use crate::setup::{Setup, pointers};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.into())
}

pub(crate) fn new_operator(email: &str, role: Role) -> NewOperator {
    NewOperator { email: email.into(), name: "Ada".into(), role, password: secret(PASSWORD) }
}

pub(crate) fn origin(address: &str) -> Origin {
    Origin { address: address.parse().ok(), agent: "a browser".into() }
}

/// The first operator, who is an owner, signed in.
pub(crate) async fn set_up(setup: &Setup) -> SignedIn {
    let link = setup.service.setup_link().await.unwrap().unwrap();
    let new = new_operator("Ada@Example.com ", Role::Viewer);
    setup.service.set_up(&link, new, &origin("192.0.2.1")).await.unwrap()
}

/// An operator of this role, signed in, made by `owner`.
pub(crate) async fn operator(setup: &Setup, owner: &OperatorSession, role: Role) -> SignedIn {
    let email = format!("{}@example.com", role.as_str());
    let new = new_operator(&email, role);
    setup.service.create_operator(&owner.caller_of_installation(), new).await.unwrap();
    signed_in(setup, &email, None).await
}

pub(crate) async fn signed_in(setup: &Setup, email: &str, code: Option<&str>) -> SignedIn {
    let from = origin("192.0.2.2");
    match setup.service.sign_in(email, PASSWORD, code, &from).await.unwrap() {
        SignIn::In(signed_in) => signed_in,
        SignIn::NeedsCode => panic!("a code is asked for"),
    }
}

/// The code that an authenticator with this secret shows.
fn code(secret_base32: &str, at: Timestamp) -> String {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut secret, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for digit in secret_base32.chars() {
        held = (held << 5) | digits.find(digit).unwrap() as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            secret.push((held >> bits) as u8);
        }
    }
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
    let tag = ring::hmac::sign(&key, &(at.0 as u64 / 30_000).to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let word = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap());
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

#[tokio::test]
async fn the_setup_link_works_once_within_a_day_and_only_while_nobody_is_there() {
    let setup = Setup::new().await;
    let service = &setup.service;
    assert!(service.needs_setup().await.unwrap());
    let first = service.setup_link().await.unwrap().unwrap();
    let link = service.setup_link().await.unwrap().unwrap();
    let unknown = Some(Error::NotFound("set-up link"));
    let from = origin("192.0.2.1");
    let new = || new_operator("Ada@Example.com ", Role::Viewer);
    for wrong in ["", "x", first.as_str()] {
        assert!(!service.is_setup_link(wrong).await.unwrap());
        assert_eq!(service.set_up(wrong, new(), &from).await.err(), unknown, "{wrong}");
    }
    let refused = service.set_up(&link, NewOperator { password: secret("short"), ..new() }, &from);
    assert_eq!(pointers(refused.await), ["/password"]);
    setup.clock.advance_ms(limits::SETUP_LINK_MS - 1);
    assert!(service.is_setup_link(&link).await.unwrap());
    setup.clock.advance_ms(1);
    assert_eq!(service.set_up(&link, new(), &from).await.err(), unknown, "after a day");

    let made = set_up(&setup).await;
    let ada = &made.session.operator;
    assert_eq!(
        (ada.email.as_str(), ada.role, ada.has_totp),
        ("ada@example.com", Role::Owner, false)
    );
    assert!(!service.needs_setup().await.unwrap());
    assert_eq!(service.setup_link().await.unwrap(), None);
    assert_eq!(service.set_up(&link, new(), &from).await.err(), unknown, "again");
    let session = service.operator_session(&made.token, &from).await.unwrap();
    assert_eq!((session.id, &session.operator), (made.session.id, ada));
    assert_eq!(session.address, "192.0.2.1".parse::<IpAddr>().ok());
}

#[tokio::test]
async fn an_operator_signs_in_by_password_and_nobody_learns_who_is_one() {
    let setup = Setup::new().await;
    let made = set_up(&setup).await;
    let owner = made.session.caller_of_installation();
    let service = &setup.service;
    let bob = service.create_operator(&owner, new_operator("bob@x", Role::Admin)).await.unwrap();
    let off = OperatorChanges { disabled: Some(true), ..OperatorChanges::default() };
    assert!(service.update_operator(&owner, bob.id, off).await.unwrap().disabled_at.is_some());
    let long = "x".repeat(limits::PASSWORD_BYTES_MAX + 1);
    for (email, password) in [
        ("ada@example.com", "wrong"),
        ("ada@example.com", ""),
        ("ada@example.com", long.as_str()),
        ("eve@example.com", PASSWORD),
        ("bob@x", PASSWORD),
        ("", ""),
        (long.as_str(), PASSWORD),
    ] {
        let refused = service.sign_in(email, password, None, &Origin::default()).await;
        assert_eq!(refused.err(), Some(Error::Unauthenticated), "{email:.20} {password:.20}");
    }
    let again = signed_in(&setup, " ADA@example.com", Some("of no use")).await;
    assert_ne!((&again.token, again.session.id), (&made.token, made.session.id));
    assert_ne!(again.session.csrf, made.session.csrf);
    assert!(again.session.csrf.len() >= 32, "it has at least 128 bits");
    let shown = format!("{again:?} {:?}", again.session);
    assert!(!shown.contains(&again.token) && !shown.contains(&again.session.csrf));
}

#[tokio::test]
async fn guessing_is_slowed_by_the_account_and_by_the_address_known_or_not() {
    let setup = Setup::new().await;
    let made = set_up(&setup).await;
    let service = &setup.service;
    let guess = async |email: &str, from: &str| {
        service.sign_in(email, "wrong", None, &origin(from)).await.map(drop).unwrap_err()
    };
    let is_limit = |error: &Error| matches!(error, Error::LimitExceeded { .. });
    // One account from many addresses.
    for email in ["ada@example.com", "eve@example.com"] {
        for n in 0..=limits::PASSWORD_FAILURES_FREE {
            assert_eq!(guess(email, &format!("198.51.100.{n}")).await, Error::Unauthenticated);
        }
        let waits = guess(email, "198.51.100.99").await;
        assert!(is_limit(&waits), "{email}: {waits:?}");
    }
    // Whoever is in already does not wait for strangers.
    service.reauthenticate(&made.session, PASSWORD, None).await.unwrap();
    // One address and many accounts.
    for n in 0..limits::SIGN_IN_FAILURES_MAX {
        assert_eq!(guess(&format!("{n}@x"), "192.0.2.66").await, Error::Unauthenticated);
    }
    let waits = guess("other@x", "192.0.2.66").await;
    assert!(is_limit(&waits), "{waits:?}");
    assert_eq!(guess("other@x", "192.0.2.67").await, Error::Unauthenticated);
    setup.clock.advance_ms(limits::SIGN_IN_SPAN_MS);
    signed_in(&setup, "ada@example.com", None).await;
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_when_it_is_old_and_when_it_is_ended() {
    let setup = Setup::new().await;
    let made = set_up(&setup).await;
    let service = &setup.service;
    let from = Origin { agent: format!("x\u{202e}{}", "é".repeat(300)), ..origin("2001:db8::1") };
    for wrong in ["", "tdo_", &made.token[1..], &made.token.replace("tdo_", "tdk_")] {
        let refused = service.operator_session(wrong, &from).await;
        assert_eq!(refused.err(), Some(Error::Unauthenticated), "{wrong}");
    }
    // It lets nobody in anywhere else.
    assert!(service.authenticate(&made.token, None).await.is_err());

    let began = setup.clock.now();
    let step = limits::OPERATOR_IDLE_MS - 1;
    while setup.clock.now().0 + step < began.0 + limits::OPERATOR_SESSION_MS {
        setup.clock.advance_ms(step);
        let session = service.operator_session(&made.token, &from).await.unwrap();
        assert_eq!(session.last_used_at, setup.clock.now());
        assert_eq!(session.address, from.address);
        assert!(session.agent.len() <= limits::AGENT_BYTES_MAX && session.agent.starts_with("xé"));
    }
    setup.clock.advance_ms(step);
    let old = service.operator_session(&made.token, &from).await;
    assert_eq!(old.err(), Some(Error::Unauthenticated), "after twelve hours");

    let [one, two] = [
        signed_in(&setup, "ada@example.com", None).await,
        signed_in(&setup, "ada@example.com", None).await,
    ];
    let all = service.operator_sessions(&one.session).await.unwrap();
    assert_eq!(all.iter().map(|s| s.id).collect::<Vec<_>>(), [one.session.id, two.session.id]);
    service.end_operator_session(&one.session, two.session.id).await.unwrap();
    assert!(service.operator_session(&two.token, &from).await.is_err());
    let again = service.end_operator_session(&one.session, two.session.id).await;
    assert_eq!(again.err(), Some(Error::NotFound("session")));
    service.sign_out(&one.session).await.unwrap();
    service.sign_out(&one.session).await.unwrap();
    assert!(service.operator_session(&one.token, &from).await.is_err());
    let idle = signed_in(&setup, "ada@example.com", None).await;
    setup.clock.advance_ms(limits::OPERATOR_IDLE_MS);
    assert!(service.operator_session(&idle.token, &from).await.is_err());
}

#[tokio::test]
async fn what_asks_for_the_password_anew_gets_ten_minutes() {
    let setup = Setup::new().await;
    let made = set_up(&setup).await;
    let service = &setup.service;
    let now = || setup.clock.now();
    let session =
        async || service.operator_session(&made.token, &origin("192.0.2.1")).await.unwrap();
    assert!(session().await.recently_authenticated(now()));
    setup.clock.advance_ms(limits::OPERATOR_AUTHENTICATED_MS + 1);
    let stale = session().await;
    assert!(!stale.recently_authenticated(now()));
    assert!(matches!(service.begin_totp(&stale).await, Err(Error::Refused(_))));
    let wrong = service.reauthenticate(&stale, "wrong", None).await;
    assert_eq!(wrong.err(), Some(Error::Unauthenticated));
    assert!(!session().await.recently_authenticated(now()));
    service.reauthenticate(&stale, PASSWORD, None).await.unwrap();
    assert!(session().await.recently_authenticated(now()));
}

#[tokio::test]
async fn a_second_factor_is_offered_confirmed_asked_for_and_works_once() {
    let setup = Setup::new().await;
    let made = set_up(&setup).await;
    let (service, session) = (&setup.service, &made.session);
    let other = signed_in(&setup, "ada@example.com", None).await;
    let offer = service.begin_totp(session).await.unwrap();
    assert_eq!(service.begin_totp(session).await.unwrap(), offer, "it stays while it is offered");
    assert_ne!(service.begin_totp(&other.session).await.unwrap(), offer);
    assert_eq!(offer.secret_base32.len(), 32);
    assert_eq!(
        offer.uri,
        format!(
            "otpauth://totp/Tidings:ada@example.com?secret={}&issuer=Tidings&algorithm=SHA1&digits=6&period=30",
            offer.secret_base32
        )
    );
    let shown = || code(&offer.secret_base32, setup.clock.now());
    let wrong = if shown() == "000000" { "000001" } else { "000000" };
    assert_eq!(pointers(service.confirm_totp(session, wrong).await), ["/code"]);
    service.confirm_totp(session, &shown()).await.unwrap();
    let from = origin("192.0.2.3");
    assert!(service.operator_session(&other.token, &from).await.is_err(), "others end");
    assert!(matches!(service.begin_totp(session).await, Err(Error::Conflict(_))));

    let sign_in =
        async |code: Option<&str>| service.sign_in("ada@example.com", PASSWORD, code, &from).await;
    assert!(matches!(sign_in(None).await, Ok(SignIn::NeedsCode)));
    let used = sign_in(Some(&shown())).await.map(drop);
    assert_eq!(used, Err(Error::Unauthenticated), "the code that confirmed it was used");
    setup.clock.advance_ms(30_000);
    assert_eq!(sign_in(Some(wrong)).await.map(drop), Err(Error::Unauthenticated));
    assert!(matches!(sign_in(Some(&shown())).await, Ok(SignIn::In(_))));
    assert_eq!(sign_in(Some(&shown())).await.map(drop), Err(Error::Unauthenticated), "once");

    let session = &service.operator_session(&made.token, &from).await.unwrap();
    assert!(session.operator.has_totp);
    assert_eq!(pointers(service.reauthenticate(session, PASSWORD, None).await), ["/code"]);
    setup.clock.advance_ms(30_000);
    service.reauthenticate(session, PASSWORD, Some(&shown())).await.unwrap();
    let refused = service.remove_totp(session, "wrong").await;
    assert_eq!(refused.err(), Some(Error::Unauthenticated));
    service.remove_totp(session, PASSWORD).await.unwrap();
    assert!(matches!(sign_in(None).await, Ok(SignIn::In(_))));
}

#[tokio::test]
async fn guessing_codes_is_slowed_too_for_whoever_knows_the_password() {
    let setup = Setup::new().await;
    let made = set_up(&setup).await;
    let service = &setup.service;
    let offer = service.begin_totp(&made.session).await.unwrap();
    let right = code(&offer.secret_base32, setup.clock.now());
    service.confirm_totp(&made.session, &right).await.unwrap();
    let guess = async |n: u32| {
        let from = origin(&format!("198.51.100.{n}"));
        service.sign_in("ada@example.com", PASSWORD, Some("x"), &from).await.map(drop)
    };
    for n in 0..=limits::PASSWORD_FAILURES_FREE {
        assert_eq!(guess(n).await, Err(Error::Unauthenticated));
    }
    let waits = guess(99).await;
    assert!(matches!(waits, Err(Error::LimitExceeded { .. })), "{waits:?}");
}

#[tokio::test]
async fn owners_manage_operators_and_each_their_own_password() {
    let setup = Setup::new().await;
    let made = set_up(&setup).await;
    let service = &setup.service;
    let owner = made.session.caller_of_installation();
    let bob = operator(&setup, &made.session, Role::Admin).await;
    let from = origin("192.0.2.9");
    for (new, wrong) in [
        (new_operator("no address", Role::Viewer), "/email"),
        (new_operator("a@b@c", Role::Viewer), "/email"),
        (NewOperator { name: " ".into(), ..new_operator("c@x", Role::Viewer) }, "/name"),
        (
            NewOperator { password: secret("password1"), ..new_operator("c@x", Role::Viewer) },
            "/password",
        ),
    ] {
        assert_eq!(pointers(service.create_operator(&owner, new).await), [wrong]);
    }
    let taken = service.create_operator(&owner, new_operator("ADMIN@example.com", Role::Viewer));
    assert!(matches!(taken.await, Err(Error::Conflict(_))));
    let emails = |all: Vec<Operator>| all.into_iter().map(|one| one.email).collect::<Vec<_>>();
    let all = service.operators(&owner).await.unwrap();
    assert_eq!(emails(all), ["ada@example.com", "admin@example.com"]);

    // A role holds from the next request on, and a running one is not let go on with the old one.
    let before = service.operator_caller(&bob.session, setup.app).await.unwrap();
    let viewer = OperatorChanges { role: Some(Role::Viewer), ..OperatorChanges::default() };
    service.update_operator(&owner, bob.session.operator.id, viewer).await.unwrap();
    let after = service.operator_session(&bob.token, &from).await.unwrap();
    assert_eq!(after.operator.role, Role::Viewer);
    let hook = setup.hook(&owner_in(&setup, &made.session).await).await.hook.id;
    let mut export = service.export_ledger(&before, hook, Default::default()).await.unwrap();
    setup.clock.advance_ms(2_000);
    assert_eq!(export.next().await.err(), Some(Error::Unauthenticated));

    let wrong = service.change_own_password(&after, "wrong", secret("another one")).await;
    assert_eq!(wrong.err(), Some(Error::Unauthenticated));
    let weak = service.change_own_password(&after, PASSWORD, secret("12345678")).await;
    assert_eq!(pointers(weak), ["/password"]);
    let second = signed_in(&setup, "admin@example.com", None).await;
    service.change_own_password(&after, PASSWORD, secret("another one")).await.unwrap();
    assert!(service.operator_session(&bob.token, &from).await.is_ok());
    assert!(service.operator_session(&second.token, &from).await.is_err(), "others end");
    let id = bob.session.operator.id;
    service.set_operator_password(&owner, id, secret(PASSWORD)).await.unwrap();
    assert!(service.operator_session(&bob.token, &from).await.is_err(), "all end");
    let bob = signed_in(&setup, "admin@example.com", None).await;
    service.delete_operator(&owner, id).await.unwrap();
    assert!(service.operator_session(&bob.token, &from).await.is_err());
    assert_eq!(service.operator(&owner, id).await.err(), Some(Error::NotFound("operator")));
    let last = service.delete_operator(&owner, made.session.operator.id).await;
    assert!(matches!(last, Err(Error::Conflict(_))), "{last:?}");
}

/// The owner as a caller in the first app.
async fn owner_in(setup: &Setup, session: &OperatorSession) -> Caller {
    setup.service.operator_caller(session, setup.app).await.unwrap()
}

#[tokio::test]
async fn what_an_operator_does_is_audited_under_their_id_with_their_address() {
    let setup = Setup::new().await;
    let made = set_up(&setup).await;
    let (service, id) = (&setup.service, made.session.operator.id.to_string());
    let caller = owner_in(&setup, &made.session).await;
    let hook = setup.hook(&caller).await.hook;
    assert_eq!(hook.owner, None, "it stays when the operator goes");
    let lines = service.audit(&caller, &PageInput::default()).await.unwrap().items;
    assert_eq!((lines[0].action.as_str(), &lines[0].actor), ("hook.create", &id));
    assert_eq!(lines[0].address.as_deref(), Some("192.0.2.1"));
    let paused = service.pause_hook(&caller, hook.id).await.unwrap();
    assert_eq!(paused.status_reason, Some(format!("paused by {id}")));

    let failed = service.sign_in("ada@example.com", "wrong", None, &origin("192.0.2.5")).await;
    assert!(failed.is_err());
    let installation = made.session.caller_of_installation();
    let page = PageInput::default();
    // The line of a sign-in that failed is written beside it.
    let denied = loop {
        let lines = service.audit(&installation, &page).await.unwrap().items;
        if let Some(line) = lines.into_iter().find(|line| line.denied) {
            break line;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((denied.action.as_str(), denied.actor.as_str()), ("operator.sign_in", "nobody"));
    assert_eq!((&denied.object, denied.address.as_deref()), (&id, Some("192.0.2.5")));
    let same = service.audit_of_installation(&caller, &page).await.unwrap().items;
    assert_eq!(same, service.audit(&installation, &page).await.unwrap().items);
    let verdict = service.verify_audit().await.unwrap();
    assert_eq!((verdict.apps, verdict.before_chain, verdict.broken), (1, 0, None));
    assert!(verdict.lines >= 5, "{verdict:?}");
}
