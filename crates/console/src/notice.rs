//! What the page after a form says once. A closed list: the cookie carries a key, never a text.

use axum::response::Response;
use maud::{Markup, html};

use crate::cookies::{self, Cookie};

/// How a notice looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something was done.
    Good,
    /// Something to know.
    Info,
    /// Something to look at.
    Warning,
    /// Something went wrong.
    Bad,
}

impl Kind {
    /// The class in the stylesheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

macro_rules! notices {
    ($($name:ident $key:literal $kind:ident $text:literal;)*) => {
        /// What was done. Add a line to the list for another.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Notice {
            $(#[doc = $text] $name,)*
        }

        impl Notice {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name),*];

            fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            fn text(self) -> (Kind, &'static str) {
                match self { $(Self::$name => (Kind::$kind, $text),)* }
            }

            /// The notice of a key, as the cookie carries it.
            pub(crate) fn of_key(key: &str) -> Option<Self> {
                match key { $($key => Some(Self::$name),)* _ => None }
            }
        }
    };
}

notices! {
    Welcome "welcome" Good "The console is set up. You are signed in.";
    SignedOut "signed-out" Good "You are signed out.";
    Saved "saved" Good "Saved.";
    Created "created" Good "Created.";
    Deleted "deleted" Good "Deleted.";
    PasswordChanged "password-changed" Good "The password is changed. All other sessions of yours have ended.";
    PasswordSet "password-set" Good "The password is set. The operator's sessions have ended.";
    TotpOn "totp-on" Good "Signing in asks for a code from now on.";
    TotpOff "totp-off" Warning "Signing in asks for no code any more.";
    SessionEnded "session-ended" Good "The session has ended.";
    Confirmed "confirmed" Good "Thank you. Go on where you were.";
    OperatorCreated "operator-created" Good "The operator can sign in now.";
    OperatorDeleted "operator-deleted" Good "The operator is deleted.";
    AppCreated "app-created" Good "The app is created. Next: create a webhook.";
    AppDeleted "app-deleted" Good "The app is deleted. Its content is erased in the background.";
    KeyRevoked "key-revoked" Good "The key is revoked. Requests with it are refused from now on.";
    HookCreated "hook-created" Good "The webhook is created.";
    HookSaved "hook-saved" Good "The webhook is saved.";
    HookPaused "hook-paused" Info "The webhook is paused. What happens is kept for it.";
    HookEnabled "hook-enabled" Good "The webhook is enabled.";
    HookDeleted "hook-deleted" Good "The webhook is deleted.";
    SecretRotated "secret-rotated" Good "There is a new secret. The old one signs beside it until its time is over.";
    TestSent "test-sent" Good "A test event is on its way.";
    Resent "resent" Good "The delivery is sent again.";
    ReplayStarted "replay-started" Good "The replay has begun.";
    ReplayEnded "replay-ended" Info "The replay is cancelled. What was sent stays sent.";
    InboxCreated "inbox-created" Good "The inbox is ready. Send something to its URL.";
    AccountConnected "account-connected" Good "The account is connected. Its calendars are read now.";
    AccountSaved "account-saved" Good "The account is saved.";
    AccountDeleted "account-deleted" Good "The account is deleted.";
    SyncAsked "sync-asked" Good "The account is read anew in a moment.";
    EventTypeSaved "event-type-saved" Good "The event type is saved.";
    EventTypeDeleted "event-type-deleted" Good "The event type is deleted.";
    LinkMade "link-made" Good "The link is made.";
}

impl Notice {
    /// The notice as a page shows it.
    pub(crate) fn shown(self) -> Markup {
        let (kind, text) = self.text();
        html! { p class=(format!("notice {}", kind.class())) role="status" { (text) } }
    }

    /// The answer, with this notice for the page that follows.
    pub(crate) fn on(self, response: Response) -> Response {
        cookies::set(response, Cookie::Notice, self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_one_notice_and_other_texts_for_none() {
        for notice in Notice::ALL {
            assert_eq!(Notice::of_key(notice.key()), Some(*notice));
        }
        assert_eq!(Notice::of_key("<b>hello</b>"), None);
    }
}
