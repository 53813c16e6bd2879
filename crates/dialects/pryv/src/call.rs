//! A request to a person's account, by somebody who may make it.

use std::sync::Arc;

use http::StatusCode;
use tidings_core::clock::Timestamp;
use tidings_service::{Caller, Error, GrantKind, NewRecordAccount, RecordAccount, Service};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::Desk;
use crate::access::Access;
use crate::options::Pace;
use crate::platform::Place;
use crate::refusal::Refusal;
use crate::request::Asked;

/// External id of the record account that holds a person's streams and events.
const ACCOUNT: &str = "pryv";

/// What the methods work with.
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) caller: Caller,
    pub(crate) access: Access,
    pub(crate) account: RecordAccount,
    pub(crate) username: String,
    pub(crate) place: Place,
    pub(crate) token: Zeroizing<String>,
    pub(crate) pace: Pace,
    /// Held while a webhook is created, so that of two with the same URL one is refused.
    pub(crate) creating: Arc<Mutex<()>>,
    pub(crate) now: Timestamp,
}

impl Call {
    /// Finds out whose account is meant and who calls.
    pub(crate) async fn open(desk: &Desk, asked: &Asked, now: Timestamp) -> Result<Self, Refusal> {
        let Some(username) = asked.path.first().map(|name| name.to_lowercase()) else {
            return Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "unknown-resource",
                "Unknown resource",
            ));
        };
        let service = &desk.service;
        let person = service.person(&username).await?;
        let person = person.ok_or_else(|| Refusal::unknown("user", &username))?;
        let token = asked.token.clone().map(Zeroizing::new).ok_or_else(Refusal::token_missing)?;
        let caller =
            match service.authenticate_text(&token, Some(person.app), &[GrantKind::Access]).await {
                Ok(caller) => caller,
                Err(Error::Unauthenticated | Error::NotFound(_)) => {
                    return Err(Refusal::token_unknown());
                }
                Err(error) => return Err(error.into()),
            };
        let access = Access::of_caller(&caller).ok_or_else(Refusal::token_unknown)?;
        let account = account(service, &caller).await?;
        Ok(Self {
            service: service.clone(),
            caller,
            access,
            account,
            username,
            place: Place::of(desk, asked),
            token,
            pace: desk.options.pace,
            creating: Arc::clone(&desk.creating),
            now,
        })
    }
}

/// The record account of the caller's person.
async fn account(service: &Service, caller: &Caller) -> Result<RecordAccount, Refusal> {
    if let Some(account) = service.record_account_named(caller, ACCOUNT).await? {
        return Ok(account);
    }
    let new = NewRecordAccount {
        external_id: Some(ACCOUNT.into()),
        user: caller.user_id(),
        name: "Pryv".into(),
        details: serde_json::json!({}),
    };
    Ok(service.put_record_account(caller, new, |_| Vec::new()).await?.0)
}
