//! People: who may register, and who gets in by password.

use serde_json::json;
use tidings_core::limits;
use tidings_service::{
    Error, GrantKind, NewPerson, NewToken, Registration, Scope, Service, TokenText,
};
use zeroize::Zeroizing;

use crate::setup::{ANY, Setup, publication};

fn ada() -> NewPerson {
    NewPerson {
        username: "ada-lovelace".into(),
        password: Zeroizing::new("engine-1843".into()),
        email: Some("ada@example.com".into()),
        language: Some("en".into()),
        invitation: None,
    }
}

fn letting_in(setup: &Setup, registration: Registration) -> Service {
    setup.service.clone().with_people(registration)
}

#[tokio::test]
async fn registration_is_closed_unless_it_is_opened_or_someone_is_invited() {
    let setup = Setup::new().await;
    let invitations = || Registration::Invited(vec![Zeroizing::new("welcome".into())]);
    let with =
        |invitation: Option<&str>| NewPerson { invitation: invitation.map(Into::into), ..ada() };
    for (registration, person, may) in [
        (Registration::default(), with(None), false),
        (Registration::Closed, with(Some("welcome")), false),
        (invitations(), with(None), false),
        (invitations(), with(Some("")), false),
        (invitations(), with(Some("welcome!")), false),
        (Registration::Invited(Vec::new()), with(Some("")), false),
        (invitations(), with(Some("welcome")), true),
        (Registration::Open, NewPerson { username: "grace".into(), ..ada() }, true),
    ] {
        let service = letting_in(&setup, registration.clone());
        let made = service.register_person(person).await;
        assert_eq!(made.is_ok(), may, "{registration:?}: {made:?}");
        if !may {
            assert!(matches!(made, Err(Error::Refused(_))), "{made:?}");
        }
    }
    let charles = NewPerson { username: "charles".into(), ..ada() };
    let admin = setup.admin_of(setup.app).await;
    let refused = setup.service.register_person_as(&admin, charles.clone()).await;
    assert_eq!(refused.err(), Some(Error::Forbidden("owner")));
    assert!(setup.service.register_person_as(&setup.owner, charles).await.is_ok());
    assert!(!format!("{:?} {:?}", invitations(), ada()).contains("welcome"));
    assert!(!format!("{:?}", ada()).contains("engine"));
}

#[tokio::test]
async fn a_person_is_checked_and_the_name_is_theirs() {
    let setup = Setup::new().await;
    let service = letting_in(&setup, Registration::Open);
    let named = |username: &str| NewPerson { username: username.into(), ..ada() };
    let short = NewPerson { password: Zeroizing::new("12345".into()), ..ada() };
    let long = "x".repeat(limits::PASSWORD_BYTES_MAX + 1);
    let long = NewPerson { password: Zeroizing::new(long), ..ada() };
    for bad in [
        named(""),
        named("anna"),
        named("Ada-Lovelace"),
        named("-adaada"),
        named("adaada-"),
        named("ada lovelace"),
        named("ädaäda"),
        named(&"a".repeat(61)),
        short,
        long,
        NewPerson { email: Some("nobody".into()), ..ada() },
    ] {
        let refused = service.register_person(bad.clone()).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{bad:?}: {refused:?}");
    }
    let made = service.register_person(ada()).await.unwrap();
    assert_eq!(made.details, json!({"email": "ada@example.com", "language": "en"}));
    assert_eq!(service.person("ada-lovelace").await.unwrap(), Some(made));
    assert_eq!(service.person("ada").await.unwrap(), None);
    let taken = service.register_person(ada()).await;
    assert!(matches!(taken, Err(Error::Conflict(_))), "{taken:?}");
}

#[tokio::test]
async fn a_person_gets_in_by_password_and_sees_nothing_but_their_own() {
    let setup = Setup::new().await;
    let service = letting_in(&setup, Registration::Open);
    let person = service.register_person(ada()).await.unwrap();
    let door = service.login_person("ada-lovelace", "engine-1843").await.unwrap();
    assert_eq!((door.app_id(), door.user_id()), (Some(person.app), Some(person.user)));
    assert_eq!(door.app_external_id(), Some("pryv:ada-lovelace"));
    let new = NewToken {
        kind: GrantKind::Access,
        user: Some(person.user),
        parent: None,
        name: "my-app".into(),
        scopes: vec![Scope::Admin],
        details: json!({"type": "personal"}),
        expires_at: None,
        text: TokenText::Made,
    };
    let (key, text) = service.mint_token(&door, new, Vec::new()).await.unwrap();
    assert_eq!(key.parent, None);
    let caller = service.authenticate_text(&text, None, &ANY).await.unwrap();
    assert_eq!(caller.app_id(), Some(person.app));
    assert!(service.publish(&caller, publication("a.b", "1"), None, None).await.is_ok());
    assert!(service.app(&caller, setup.app).await.is_err());
    for (name, password) in [
        ("ada-lovelace", "engine-1844"),
        ("ada-lovelace", ""),
        ("nobody-here", "engine-1843"),
        ("", "engine-1843"),
    ] {
        let refused = service.login_person(name, password).await;
        assert_eq!(refused.err(), Some(Error::Unauthenticated), "{name}");
    }
}

#[tokio::test]
async fn guessing_a_password_is_slowed_the_same_for_an_unknown_name() {
    let setup = Setup::new().await;
    let service = letting_in(&setup, Registration::Open);
    service.register_person(ada()).await.unwrap();
    let mut answers = Vec::new();
    for name in ["ada-lovelace", "nobody-here"] {
        let mut of_name = Vec::new();
        for _ in 0..limits::PASSWORD_FAILURES_FREE + 3 {
            of_name.push(service.login_person(name, "wrong-password").await.err());
        }
        answers.push(of_name);
    }
    assert_eq!(answers[0], answers[1], "a known name is told from an unknown one");
    assert!(matches!(answers[0].last(), Some(Some(Error::LimitExceeded { .. }))));
    let right = service.login_person("ada-lovelace", "engine-1843").await;
    assert!(matches!(right, Err(Error::LimitExceeded { .. })), "{right:?}");
    setup.clock.advance_ms(limits::PASSWORD_WAIT_MAX_MS);
    assert!(service.login_person("ada-lovelace", "engine-1843").await.is_ok());
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_the_present_one() {
    let setup = Setup::new().await;
    let service = letting_in(&setup, Registration::Open);
    service.register_person(ada()).await.unwrap();
    let door = service.login_person("ada-lovelace", "engine-1843").await.unwrap();
    let to = |text: &str| Zeroizing::new(text.to_owned());
    let refused = service.change_password(&door, "engine-1844", to("analytical")).await;
    assert_eq!(refused.err(), Some(Error::Unauthenticated));
    let short = service.change_password(&door, "engine-1843", to("x")).await;
    assert!(matches!(short, Err(Error::Invalid(_))), "{short:?}");
    service.change_password(&door, "engine-1843", to("analytical")).await.unwrap();
    assert!(service.login_person("ada-lovelace", "engine-1843").await.is_err());
    assert!(service.login_person("ada-lovelace", "analytical").await.is_ok());
    let owner = service.change_password(&setup.owner, "x", to("analytical")).await;
    assert!(matches!(owner, Err(Error::Forbidden(_))), "{owner:?}");
}
