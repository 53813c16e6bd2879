use tidings_core::limits;
use tidings_service::{Error, RotateSecret, Scope};

use crate::setup::Setup;

#[tokio::test]
async fn secrets_are_revealed_to_whoever_may_change_hooks_and_each_look_is_audited() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let created = setup.hook(&setup.owner).await;
    let id = created.hook.id;
    let reads = setup.with_scopes(&[Scope::Read]).await;
    let refused = service.reveal_hook_secret(&reads, id).await;
    assert_eq!(refused.unwrap_err(), Error::Forbidden("hooks"));
    let other = setup.other_app("other").await;
    let unknown = service.reveal_hook_secret(&other, id).await;
    assert_eq!(unknown.unwrap_err(), Error::NotFound("hook"));

    let hooks = setup.with_scopes(&[Scope::Hooks]).await;
    let only = service.reveal_hook_secret(&hooks, id).await.unwrap();
    assert_eq!((only.len(), only[0].expires_at), (1, None));
    assert_eq!(only[0].secret, created.secret);
    let rotated = service.rotate_hook_secret(&hooks, id, RotateSecret::default()).await.unwrap();
    let both = service.reveal_hook_secret(&hooks, id).await.unwrap();
    assert_eq!((&both[0].secret, both[0].expires_at), (&rotated.secret, None));
    assert_eq!(
        (&both[1].secret, both[1].expires_at),
        (&created.secret, Some(rotated.overlap_until))
    );
    setup.clock.advance_ms(limits::SECRET_OVERLAP_DEFAULT_MS + 1);
    assert_eq!(service.reveal_hook_secret(&hooks, id).await.unwrap().len(), 1);

    let audit = setup.audit(&setup.owner).await;
    let looks = audit.iter().filter(|(action, _, _)| action == "hook.secret.reveal");
    let looks: Vec<_> = looks.map(|(_, object, denied)| (object.clone(), *denied)).collect();
    let look = |denied| (id.to_string(), denied);
    assert_eq!(looks, [look(false), look(false), look(false), look(true)]);
}
