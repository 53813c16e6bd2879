//! Where pushes arrive: what is genuine makes dirty what it is about, and nothing else happens here.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tidings_core::clock::Clock;
use tidings_providers::google::push::State;
use tidings_providers::{google, microsoft};
use tidings_simulators::server::{Answer, Call, Server, Setup, Site};
use tidings_store::Store;

pub(crate) struct Door {
    store: Store,
    clock: Clock,
}

impl Door {
    pub(crate) async fn open(store: Store, clock: Clock) -> Server {
        Server::start(&Setup::default(), Arc::new(Self { store, clock })).await.unwrap()
    }

    async fn google(&self, call: &Call) -> Answer {
        let Some(push) = google::push::read(&call.headers) else { return Answer::empty(204) };
        let known = self.store.subscription_by_channel("google".into(), push.channel_id.clone());
        let Some(known) = known.await.unwrap() else { return Answer::empty(204) };
        let (no, now) = (known.subscription_no, self.clock.now());
        let hash = known.token_hash.unwrap_or_default();
        if push.is_genuine(&hash, known.resource_id.as_deref()) {
            match push.state {
                State::Sync => self.store.hear_subscription(no, now).await.unwrap(),
                State::Exists | State::NotExists => {
                    self.store.push(no, now).await.unwrap();
                }
            }
        }
        Answer::empty(204)
    }

    async fn microsoft(&self, call: &Call) -> Answer {
        if let Some(token) = microsoft::push::validation_token(&call.query) {
            return Answer::text(200, token);
        }
        for notice in microsoft::push::read(&call.body).unwrap() {
            let channel = notice.subscription_id.clone();
            let known = self.store.subscription_by_channel("microsoft".into(), channel).await;
            let Some(known) = known.unwrap() else { continue };
            let given: [u8; 32] = Sha256::digest(notice.client_state.unwrap_or_default()).into();
            if known.token_hash == Some(given) {
                self.store.push(known.subscription_no, self.clock.now()).await.unwrap();
            }
        }
        Answer::empty(202)
    }
}

impl Site for Door {
    async fn answer(&self, call: &Call) -> Answer {
        match call.path.as_str() {
            "/providers/google/notifications" => self.google(call).await,
            "/providers/microsoft/notifications" => self.microsoft(call).await,
            _ => Answer::empty(404),
        }
    }
}
