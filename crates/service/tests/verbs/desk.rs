//! Providers that are not there: settings, and a desk whose errands a task answers.

use std::sync::{Arc, Mutex};

use tidings_core::access::Hidden;
use tidings_providers::errand::{Errand, Refusal, Reply};
use tidings_providers::event::{Event, Original};
use tidings_providers::item::Item;
use tidings_providers::oauth::{Credential, Identity};
use tidings_providers::settings::{GoogleSettings, MicrosoftSettings, Settings, ZoomSettings};
use tidings_service::Desk;
use tokio::sync::{mpsc, oneshot};

use crate::setup::Setup;

pub(crate) const ZOOM_SECRET: &str = "zoom-secret";

type Answer = Result<Reply, Refusal>;

/// What was asked at the desk.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<Mutex<Vec<Errand>>>);

impl Asked {
    /// How each errand looks in the log.
    pub(crate) fn list(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|errand| format!("{errand:?}")).collect()
    }

    pub(crate) fn last(&self) -> Errand {
        self.0.lock().unwrap().last().cloned().unwrap()
    }
}

pub(crate) fn settings() -> Settings {
    let mut zoom = ZoomSettings::new("z", "secret");
    zoom.webhook_secret = Some(Hidden::from(ZOOM_SECRET.to_owned()));
    Settings {
        google: Some(GoogleSettings::new("g", "secret")),
        microsoft: Some(MicrosoftSettings::new("m", "secret", "common")),
        zoom: Some(zoom),
        public_url: Some("https://tidings.example.com/base".parse().unwrap()),
    }
}

impl Setup {
    /// The same with providers; errands are answered by `answer`.
    pub(crate) fn with_desk(
        mut self,
        answer: impl Fn(&Errand) -> Answer + Send + 'static,
    ) -> (Self, Asked) {
        let (desk, mut errands): (Desk, mpsc::Receiver<(Errand, oneshot::Sender<Answer>)>) =
            mpsc::channel(4);
        let asked = Asked::default();
        let noted = asked.clone();
        tokio::spawn(async move {
            while let Some((errand, reply)) = errands.recv().await {
                let answer = answer(&errand);
                noted.0.lock().unwrap().push(errand);
                drop(reply.send(answer));
            }
        });
        self.service = self.service.with_providers(settings(), desk);
        (self, asked)
    }
}

/// What a provider answers to a code.
pub(crate) fn connected(external_id: &str) -> Answer {
    Ok(Reply::Connected {
        tokens: Credential {
            access_token: Hidden::from("access".to_owned()),
            refresh_token: Some(Hidden::from("refresh".to_owned())),
            expires_at_ms: 1,
            scopes: Vec::new(),
        },
        identity: Identity {
            external_id: external_id.into(),
            email: Some("ada@example.com".into()),
            name: None,
        },
    })
}

pub(crate) fn event(title: &str, start: &str, end: &str, recurrence: Option<&str>) -> Event {
    Event {
        uid: format!("{title}@example.com"),
        title: title.into(),
        description: None,
        start: Some(start.into()),
        end: Some(end.into()),
        all_day: false,
        time_zone: None,
        location: None,
        attendees: Vec::new(),
        status: None,
        availability: "busy".into(),
        privacy: Some("public".into()),
        last_modified: None,
        link: None,
        color: None,
        conference: None,
        recurrence: recurrence.map(Into::into),
        recurring_event_id: None,
        recurrence_id: None,
        properties: Default::default(),
        original: Original::Object(serde_json::json!({})),
    }
}

/// An item as a provider answers it.
pub(crate) fn item(key: &str, etag: &str) -> Item {
    Item {
        key: key.into(),
        resource: key.into(),
        etag: etag.into(),
        version: etag.into(),
        series: None,
        recurrence_id: None,
        event: event(key, "2026-12-02T09:00:00.000Z", "2026-12-02T10:00:00.000Z", None),
    }
}
