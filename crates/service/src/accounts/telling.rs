//! What is told about accounts when a caller, a person's consent or a provider's word changes them.

use serde_json::json;
use tidings_core::change::{NewChange, Origin, Subject, types};
use tidings_core::id::ChangeId;
use tidings_store as store;

use crate::Service;

impl Service {
    /// `account.connected` or `account.deleted`, by `actor`, or by the provider.
    pub(crate) fn account_change(
        &self,
        kind: &str,
        account: &store::Account,
        actor: Option<String>,
    ) -> NewChange {
        let now = self.now();
        let body = json!({ "account": {
            "id": account.id,
            "provider": account.provider,
            "user_id": account.user_external_id,
            "name": account.name,
            "status": if kind == types::ACCOUNT_DELETED { "deleted" } else { "active" },
            "reason": null,
        }});
        NewChange {
            id: ChangeId(self.ids.next(now)),
            kind: kind.into(),
            subject: Subject {
                user_no: account.user_no,
                account_no: Some(account.account_no),
                provider: Some(account.provider.clone()),
                ..Subject::default()
            },
            order_key: None,
            occurred_at: now,
            origin: if actor.is_some() { Origin::Api } else { Origin::Provider },
            actor,
            traceparent: None,
            body: body.to_string().into(),
        }
    }
}
