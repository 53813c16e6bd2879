//! Operators, their sessions and the link that makes the first one.

use tidings_core::clock::Timestamp;
use tidings_core::id::{OperatorId, SessionId};
use tidings_core::limits;
use tidings_store::{NewOperator, NewSession, Operator, OperatorUpdate, Role};

use crate::support::{NOW, World, did};

fn new_operator(world: &World, email: &str, role: Role) -> NewOperator {
    NewOperator {
        id: OperatorId(world.ids.next(NOW)),
        email: email.into(),
        name: "Ada".into(),
        role,
        password: "$argon2id$".into(),
    }
}

async fn operator(world: &World, email: &str, role: Role) -> Operator {
    let new = new_operator(world, email, role);
    world.store.create_operator(new, did("operator.create"), NOW).await.unwrap()
}

fn new_session(world: &World, token: u8, at: Timestamp) -> NewSession {
    NewSession {
        id: SessionId(world.ids.next(at)),
        token_hash: [token; 32],
        csrf: "c".into(),
        expires_at: at.plus_ms(limits::OPERATOR_SESSION_MS),
        address: Some("192.0.2.7".into()),
        agent: "a browser".into(),
    }
}

pub(crate) async fn an_operator_is_created_once_per_address_and_found_by_it(world: &World) {
    let store = &world.store;
    let ada = operator(world, "ada@example.com", Role::Owner).await;
    assert_eq!((ada.role, ada.has_totp, ada.disabled_at), (Role::Owner, false, None));
    let twice = new_operator(world, "ada@example.com", Role::Viewer);
    let twice = store.create_operator(twice, did("operator.create"), NOW).await;
    assert!(twice.is_err_and(|error| error.is_conflict()));
    let bob = operator(world, "bob@example.com", Role::Viewer).await;
    assert_eq!(store.operators(9).await.unwrap(), [ada.clone(), bob.clone()]);
    assert_eq!(store.operator_by_id(bob.id).await.unwrap(), Some(bob));
    let (found, secrets) = store.operator_by_email(ada.email.clone()).await.unwrap().unwrap();
    assert_eq!((found, secrets.password.as_str()), (ada.clone(), "$argon2id$"));
    assert!(store.operator_by_email("eve@example.com".into()).await.unwrap().is_none());
    let update = OperatorUpdate {
        name: Some("Countess".into()),
        password: Some("other".into()),
        totp: Some(Some(b"sealed".to_vec())),
        ..OperatorUpdate::default()
    };
    let later = NOW.plus_ms(5);
    let entry = did("operator.update");
    let ada = store.update_operator(ada.operator_no, update, entry, later).await.unwrap();
    assert_eq!((ada.name.as_str(), ada.has_totp, ada.updated_at), ("Countess", true, later));
    let secrets = store.operator_secrets(ada.operator_no).await.unwrap().unwrap();
    assert_eq!((secrets.password.as_str(), secrets.totp), ("other", Some(b"sealed".to_vec())));
    assert_eq!(format!("{:?}", new_operator(world, "x@example.com", Role::Owner)).find('$'), None);
}

pub(crate) async fn an_owner_who_can_sign_in_is_always_left(world: &World) {
    let store = &world.store;
    let ada = operator(world, "ada@example.com", Role::Owner).await.operator_no;
    let bob = operator(world, "bob@example.com", Role::Admin).await.operator_no;
    let demoted = || OperatorUpdate { role: Some(Role::Admin), ..OperatorUpdate::default() };
    let disabled = || OperatorUpdate { disabled: Some(true), ..OperatorUpdate::default() };
    let update = |no, update| store.update_operator(no, update, did("operator.update"), NOW);
    for last in [update(ada, demoted()), update(ada, disabled())] {
        assert!(last.await.is_err_and(|error| error.is_conflict()));
    }
    let last = store.delete_operator(ada, did("operator.delete"), NOW).await;
    assert!(last.is_err_and(|error| error.is_conflict()));
    // Another owner who cannot sign in does not count.
    let owner = OperatorUpdate { role: Some(Role::Owner), disabled: Some(true), ..demoted() };
    update(bob, owner).await.unwrap();
    assert!(update(ada, demoted()).await.is_err_and(|error| error.is_conflict()));
    let enabled = OperatorUpdate { disabled: Some(false), ..OperatorUpdate::default() };
    update(bob, enabled).await.unwrap();
    store.delete_operator(ada, did("operator.delete"), NOW).await.unwrap();
    let gone = store.delete_operator(ada, did("operator.delete"), NOW).await;
    assert!(gone.is_err_and(|error| error.is_not_found()));
    assert!(update(ada, demoted()).await.is_err_and(|error| error.is_not_found()));
    // What was refused left no line.
    let lines = store.audit_rows(None, None, 99).await.unwrap();
    let actions: Vec<_> = lines.iter().rev().map(|line| line.action.as_str()).collect();
    let (create, update, delete) = ("operator.create", "operator.update", "operator.delete");
    assert_eq!(actions, [create, create, update, update, delete]);
}

pub(crate) async fn the_first_operator_is_made_once_by_the_newest_link(world: &World) {
    let store = &world.store;
    let until = NOW.plus_ms(1_000);
    assert!(!store.has_operators().await.unwrap());
    assert!(store.begin_setup([1; 32], until).await.unwrap());
    assert!(store.begin_setup([2; 32], until).await.unwrap());
    for (token, at, works) in [([1; 32], NOW, false), ([2; 32], NOW, true), ([2; 32], until, false)]
    {
        assert_eq!(store.is_setup(token, at).await.unwrap(), works, "{token:?} {at:?}");
    }
    let mut made = Vec::new();
    for n in 0..8 {
        let (store, new) = (store.clone(), new_operator(world, &format!("{n}@x"), Role::Owner));
        let session = new_session(world, 10 + n, NOW);
        made.push(tokio::spawn(async move {
            store.finish_setup([2; 32], new, session, did("operator.set_up"), NOW).await.unwrap()
        }));
    }
    let mut sessions = Vec::new();
    for one in made {
        sessions.extend(one.await.unwrap());
    }
    assert_eq!(sessions.len(), 1);
    assert_eq!(store.operators(9).await.unwrap(), [sessions.remove(0).operator]);
    assert!(store.has_operators().await.unwrap());
    assert!(!store.begin_setup([3; 32], until).await.unwrap());
    assert!(!store.is_setup([2; 32], NOW).await.unwrap());
}

pub(crate) async fn a_session_is_found_by_its_token_until_it_ends(world: &World) {
    let store = &world.store;
    let ada = operator(world, "ada@example.com", Role::Owner).await;
    let new = new_session(world, 1, NOW);
    let begun = store.begin_session(&ada, new, did("operator.sign_in"), NOW).await;
    let begun = begun.unwrap();
    assert_eq!(begun.operator, ada);
    assert_eq!((begun.address.as_deref(), begun.agent.as_str()), (Some("192.0.2.7"), "a browser"));
    let found = async |at| store.session_by_token([1; 32], at).await.unwrap();
    assert_eq!(found(NOW).await, Some(begun.clone()));
    assert_eq!(store.session_by_id(begun.id, NOW).await.unwrap(), Some(begun.clone()));
    assert!(store.session_by_token([2; 32], NOW).await.unwrap().is_none());

    // It ends when it is not used, and in any case.
    let mut at = NOW.plus_ms(limits::OPERATOR_IDLE_MS);
    assert_eq!(found(at).await, None);
    while at < begun.expires_at {
        at = at.plus_ms(-1);
        assert!(found(at).await.is_some(), "{at:?}");
        let address = Some("192.0.2.8".into());
        store.touch_session(begun.session_no, address, "b".into(), at).await.unwrap();
        at = at.plus_ms(limits::OPERATOR_IDLE_MS);
    }
    assert_eq!(found(begun.expires_at).await, None);
    let last = found(begun.expires_at.plus_ms(-1)).await.unwrap();
    assert_eq!((last.address.as_deref(), last.agent.as_str()), (Some("192.0.2.8"), "b"));
    let entry = did("operator.reauthenticate");
    store.session_authenticated(begun.session_no, entry, at).await.unwrap();
    assert_eq!(found(begun.expires_at.plus_ms(-1)).await.unwrap().authenticated_at, at);

    store.end_session(begun.session_no, did("operator.sign_out"), at).await.unwrap();
    assert_eq!(found(begun.expires_at.plus_ms(-1)).await, None);
    let again = store.end_session(begun.session_no, did("operator.sign_out"), at).await;
    assert!(again.is_err_and(|error| error.is_not_found()));
    let ended = store.session_authenticated(begun.session_no, did("never"), at).await;
    assert!(ended.is_err_and(|error| error.is_not_found()));
}

pub(crate) async fn sessions_end_with_their_operator_and_of_too_many_the_oldest(world: &World) {
    let store = &world.store;
    let ada = operator(world, "ada@example.com", Role::Owner).await;
    let read = operator(world, "bob@example.com", Role::Admin).await;
    let bob = read.operator_no;
    let begin = async |operator: &Operator, token| {
        let new = new_session(world, token, NOW);
        store.begin_session(operator, new, did("operator.sign_in"), NOW).await
    };
    let most = limits::OPERATOR_SESSIONS_MAX;
    begin(&ada, 200).await.unwrap();
    for token in 0..=most {
        begin(&read, u8::try_from(token).unwrap()).await.unwrap();
    }
    let all = store.sessions_of(bob, NOW).await.unwrap();
    assert_eq!(all.len(), most);
    assert!(store.session_by_token([0; 32], NOW).await.unwrap().is_none());

    let kept = OperatorUpdate {
        end_sessions_but: Some(Some(all[3].session_no)),
        ..OperatorUpdate::default()
    };
    store.update_operator(bob, kept, did("operator.password"), NOW).await.unwrap();
    let left = store.sessions_of(bob, NOW).await.unwrap();
    assert_eq!(left.iter().map(|session| session.id).collect::<Vec<_>>(), [all[3].id]);
    let disabled = OperatorUpdate { disabled: Some(true), ..OperatorUpdate::default() };
    store.update_operator(bob, disabled, did("operator.update"), NOW).await.unwrap();
    assert!(store.sessions_of(bob, NOW).await.unwrap().is_empty());
    let refused = begin(&read, 100).await;
    assert!(refused.is_err_and(|error| error.is_not_found()));
    let enabled = OperatorUpdate { disabled: Some(false), ..OperatorUpdate::default() };
    store.update_operator(bob, enabled, did("operator.update"), NOW).await.unwrap();
    assert!(store.sessions_of(bob, NOW).await.unwrap().is_empty(), "an ended session came back");
    begin(&read, 101).await.unwrap();
    // Whoever was let in by what is changed since is not.
    let later = NOW.plus_ms(1);
    let password = OperatorUpdate { password: Some("new".into()), ..OperatorUpdate::default() };
    let changed = store.update_operator(bob, password, did("operator.password"), later).await;
    let late = begin(&read, 102).await;
    assert!(late.is_err_and(|error| error.is_not_found()), "let in by an old password");
    begin(&changed.unwrap(), 103).await.unwrap();
    store.delete_operator(bob, did("operator.delete"), NOW).await.unwrap();
    assert!(store.session_by_token([101; 32], NOW).await.unwrap().is_none());
    assert!(store.session_by_token([200; 32], NOW).await.unwrap().is_some());
}

pub(crate) async fn a_code_works_once_and_only_forward(world: &World) {
    let store = &world.store;
    let ada = operator(world, "ada@example.com", Role::Owner).await.operator_no;
    for (step, fresh) in [(7, true), (7, false), (6, false), (8, true), (10, true), (9, false)] {
        assert_eq!(store.use_totp_step(ada, step).await.unwrap(), fresh, "{step}");
    }
}
