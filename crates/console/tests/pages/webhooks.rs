//! Webhooks in the console and in the portal.

mod attempts;
mod create;
mod portal;
mod replay;
mod secret;

use std::sync::Arc;

use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_core::id::HookId;
use tidings_service::{Caller, DeliveryQuery, Hook, NewHook, PageInput};
use tidings_store::{AttemptRecord, ParkedWrite, Settle};

use crate::world::{Browser, World};

/// An owner's console, and the owner as a caller in its app.
pub(crate) async fn begin() -> (World, Browser, Caller) {
    let (world, browser) = World::owned().await;
    let (token, origin) = (&browser.cookies["tidings"], tidings_service::Origin::default());
    let session = world.service.operator_session(token, &origin).await.unwrap();
    let caller = world.service.operator_caller(&session, world.app).await.unwrap();
    (world, browser, caller)
}

impl World {
    /// A path of the app.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/console/apps/{}{rest}", self.app)
    }

    /// A hook that was made elsewhere; it gets everything.
    async fn hook(&self, caller: &Caller) -> Hook {
        let input = NewHook {
            url: Some("https://example.com/hook".into()),
            triggers: vec!["*".into()],
            ..NewHook::default()
        };
        self.service.create_hook(caller, input).await.unwrap().hook
    }

    async fn only_hook(&self, caller: &Caller) -> Hook {
        let mut hooks = self.service.hooks(caller, &PageInput::default()).await.unwrap().items;
        assert_eq!(hooks.len(), 1);
        hooks.remove(0)
    }

    /// A test event of the hook with the store key 1 that came out as `record` says: given up when it failed.
    async fn tried(
        &self,
        caller: &Caller,
        hook: HookId,
        change: impl FnOnce(&mut AttemptRecord),
    ) -> String {
        let receipt = self.service.test_hook(caller, hook).await.unwrap();
        let mut record = attempt(receipt.seq, self.clock.now());
        change(&mut record);
        let reason = record.error.as_ref().map(|(_, why)| why.clone());
        let parked = reason.map(|reason| {
            let members = record.members.clone();
            let put = ParkedWrite::Put {
                cursor_no: 0,
                members,
                attempts: 1,
                due_at: None,
                reason,
                key_hash: None,
                waits: false,
            };
            (1, put)
        });
        let settle = Settle {
            attempts: vec![record],
            parked: parked.into_iter().collect(),
            ..Settle::default()
        };
        self.store.settle(Arc::new(settle), self.clock.now()).await.unwrap();
        let query = DeliveryQuery { hook: Some(hook), ..DeliveryQuery::default() };
        let page = self.service.deliveries(caller, query, &PageInput::default()).await.unwrap();
        page.items[0].id.to_string()
    }
}

/// A delivered attempt.
fn attempt(seq: u64, at: Timestamp) -> AttemptRecord {
    AttemptRecord {
        hook_no: 1,
        cursor_no: 0,
        members: Members::single(seq),
        n: 1,
        delivered: true,
        started_at: at,
        dns_us: Some(900),
        connect_us: Some(12_000),
        tls_us: Some(21_000),
        first_byte_us: Some(80_000),
        total_us: 114_000,
        url: "https://example.com/hook".into(),
        address: Some("93.184.216.34:443".into()),
        status: Some(204),
        error: None,
        request_headers: Some(r#"[["webhook-id","dlv_1"]]"#.into()),
        response_headers: None,
        response_body: None,
    }
}

#[tokio::test]
async fn a_webhook_is_listed_paused_enabled_tested_and_deleted_by_forms() {
    let (world, mut browser, caller) = begin().await;
    let list = world.path("/webhooks");
    let shown = browser.get(&list).await;
    assert!(shown.body.contains("There is none yet"), "{}", shown.body);
    assert!(shown.body.contains(">Create Webhook</a>"), "{}", shown.body);
    let hook = world.hook(&caller).await;
    let page = format!("{list}/{}", hook.id);
    let shown = browser.get(&list).await;
    assert!(shown.body.contains(&format!("href=\"{page}\"")), "{}", shown.body);
    for (action, says) in [
        ("test", "on its way"),
        ("pause", "is paused"),
        ("enable", "is enabled"),
        ("delete", "is deleted"),
    ] {
        let from = if action == "delete" { format!("{page}/delete") } else { page.clone() };
        let answer = browser.submit(&from, &format!("{page}/{action}"), &[]).await;
        assert_eq!(answer.status, 303, "{action}: {answer:?}");
        let after = browser.get(answer.location()).await;
        assert_eq!(after.status, 200, "{action}");
        assert!(after.body.contains(says), "{action}: {}", after.body);
        if action == "pause" {
            assert_eq!(world.only_hook(&caller).await.status, HookStatus::Paused);
            assert!(after.body.contains("This webhook is paused"), "{}", after.body);
        }
    }
    assert_eq!(browser.get(&page).await.status, 404);
}

#[tokio::test]
async fn a_viewer_sees_webhooks_and_no_way_to_change_them() {
    let (world, browser, caller) = begin().await;
    let hook = world.hook(&caller).await;
    let mut viewer =
        world.operator(&browser, "viewer@example.com", tidings_service::Role::Viewer).await;
    let page = world.path(&format!("/webhooks/{}", hook.id));
    let shown = viewer.get(&page).await;
    assert_eq!(shown.status, 200);
    assert!(
        !shown.body.contains("Send test event") && !shown.body.contains("/edit"),
        "{}",
        shown.body
    );
    for path in ["/secret", "/edit", "/delete"] {
        assert_eq!(viewer.get(&format!("{page}{path}")).await.status, 403, "{path}");
    }
    let csrf = viewer.csrf().await;
    for path in ["/pause", "/secret/reveal", "/secret/rotate", "/replay", "/test"] {
        let answer = viewer.post(&format!("{page}{path}"), &csrf, &[]).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    assert_eq!(world.only_hook(&caller).await.status, HookStatus::Active);
}
