//! What a page says when it cannot do what it was asked: the one match from the service's errors, with the
//! right status and plain words.

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use maud::{Markup, html};
use tidings_service::Error;
use url::form_urlencoded;

use crate::layout;

/// Why a page is not what was asked for.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Nobody is signed in.
    SignIn {
        /// The path and query to come back to.
        back: String,
        /// Whether the request only read: then the browser is sent to sign in at once.
        read: bool,
    },
    /// A viewer wants to change something.
    OnlyLook,
    /// The password must be given once more before this.
    ConfirmFirst {
        /// The path and query to come back to.
        back: String,
    },
    /// A link to the portal is over, or was none.
    LinkIsOver,
    /// A form that is not from a page of ours that this browser has open (CSRF).
    ForeignForm,
    /// The form has another media type, is too long, or cannot be read.
    BadForm(StatusCode, String),
    /// There is no such page.
    NoSuchPage,
    /// The page cannot be asked in this way.
    NoSuchMethod,
    /// The service refused.
    Service(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn { back, read: true } => to_sign_in(&back),
            Self::SignIn { read: false, .. } => said(
                StatusCode::UNAUTHORIZED,
                "You are signed out",
                &html! {
                    p { "Your session has ended, so nothing was changed." }
                    p { a.button href="/console/login" { "Sign in" } }
                },
            ),
            Self::ConfirmFirst { back } => {
                Redirect::to(&with_next("/console/confirm", &back)).into_response()
            }
            Self::OnlyLook => said(
                StatusCode::FORBIDDEN,
                "You may look, but not change",
                &html! {
                    p { "Your role is viewer. Ask an owner of this installation for the role admin." }
                    (go_on())
                },
            ),
            Self::LinkIsOver => said(
                StatusCode::UNAUTHORIZED,
                "This link is over",
                &html! {
                    p { "Links to this page work for a short time only." }
                    p { "Go back to the application that sent you here and open the page from there once more." }
                },
            ),
            Self::ForeignForm => said(
                StatusCode::FORBIDDEN,
                "This form cannot be taken",
                &html! {
                    p {
                        "It does not come from a page that this browser has open here, or that page is too old. \
                         Nothing was changed."
                    }
                    p { "Go back, load the page anew and send the form once more." }
                    (go_on())
                },
            ),
            Self::BadForm(status, why) => said(
                status,
                "This form cannot be read",
                &html! {
                    p { (sentence(&why)) }
                    (go_on())
                },
            ),
            Self::NoSuchPage => said(
                StatusCode::NOT_FOUND,
                "There is no such page",
                &html! {
                    p { "The address is wrong, or what it showed is deleted." }
                    (go_on())
                },
            ),
            Self::NoSuchMethod => said(
                StatusCode::METHOD_NOT_ALLOWED,
                "Not in this way",
                &html! {
                    p { "This address is there, but not for this kind of request." }
                    (go_on())
                },
            ),
            Self::Service(error) => of_service(&error),
        }
    }
}

fn of_service(error: &Error) -> Response {
    let (status, title) = match error {
        Error::NotFound(what) => {
            let title = format!("There is no such {what}");
            return said(
                StatusCode::NOT_FOUND,
                &title,
                &html! {
                    p { "It may be deleted, or it belongs to another app." }
                    (go_on())
                },
            );
        }
        Error::Conflict(_) => (StatusCode::CONFLICT, "That does not go together"),
        Error::Stale { .. } => (StatusCode::PRECONDITION_FAILED, "Somebody was faster"),
        Error::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "Not as it is"),
        Error::Malformed(_) => (StatusCode::BAD_REQUEST, "This cannot be understood"),
        Error::Unauthenticated => (StatusCode::UNAUTHORIZED, "Not known here"),
        Error::Forbidden(_) => (StatusCode::FORBIDDEN, "You may not do this"),
        Error::Refused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "The provider does not do this"),
        Error::LimitExceeded { .. } => (StatusCode::TOO_MANY_REQUESTS, "Too many"),
        Error::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "Too large"),
        Error::Gone { .. } => (StatusCode::GONE, "No longer kept"),
        Error::Unavailable { .. } | Error::ProviderUnavailable { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "Not at this moment")
        }
        Error::NotConfigured(_) => (StatusCode::NOT_IMPLEMENTED, "Not set up yet"),
        Error::Full => (StatusCode::INSUFFICIENT_STORAGE, "The disk is full"),
        Error::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "Something is wrong on our side"),
    };
    let response = said(status, title, &html! { p { (words(error)) } (go_on()) });
    match retry_after(error) {
        Some(seconds) => ([(RETRY_AFTER, seconds.to_string())], response).into_response(),
        None => response,
    }
}

/// A service's error as a sentence for people.
pub(crate) fn words(error: &Error) -> String {
    match error {
        Error::Unauthenticated => "That is not known here, or no longer.".into(),
        Error::Forbidden("owner") => "Only an owner of this installation may do this.".into(),
        Error::Forbidden(scope) => format!("Your role does not include this (it needs {scope})."),
        Error::Internal => "The server's log says more. Try again.".into(),
        error => sentence(&error.to_string()),
    }
}

fn retry_after(error: &Error) -> Option<u32> {
    match error {
        Error::LimitExceeded { retry_after_s, .. } => *retry_after_s,
        Error::Unavailable { retry_after_s } | Error::ProviderUnavailable { retry_after_s, .. } => {
            Some(*retry_after_s)
        }
        _ => None,
    }
}

/// The text with a capital letter and a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>());
    let stop = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{}{stop}", first.unwrap_or_default(), letters.as_str())
}

fn said(status: StatusCode, title: &str, body: &Markup) -> Response {
    let page = layout::bare(title, html! { h1 { (title) } (body) });
    (status, page).into_response()
}

fn go_on() -> Markup {
    html! { p { a href="/console/" { "To the start" } } }
}

fn to_sign_in(back: &str) -> Response {
    Redirect::to(&with_next("/console/login", back)).into_response()
}

/// `path?next=back`, unless back is the start anyway.
pub(crate) fn with_next(path: &str, back: &str) -> String {
    if matches!(back, "/" | "/console" | "/console/") {
        return path.to_owned();
    }
    let next = form_urlencoded::Serializer::new(String::new()).append_pair("next", back).finish();
    format!("{path}?{next}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_in_sentences() {
        for (error, said) in [
            (Error::Full, "The server's disk is full; nothing was written."),
            (Error::Forbidden("owner"), "Only an owner of this installation may do this."),
            (Error::Forbidden("hooks"), "Your role does not include this (it needs hooks)."),
            (Error::Conflict("it is paused".into()), "It is paused."),
        ] {
            assert_eq!(words(&error), said);
        }
    }

    #[test]
    fn every_error_of_the_service_has_its_status() {
        for (error, status) in [
            (Error::NotFound("hook"), 404),
            (Error::Conflict(String::new()), 409),
            (Error::Stale { why: String::new(), current: None }, 412),
            (Error::Invalid(Vec::new()), 422),
            (Error::Malformed(String::new()), 400),
            (Error::Unauthenticated, 401),
            (Error::Forbidden("admin"), 403),
            (Error::Refused(String::new()), 422),
            (Error::LimitExceeded { limit: String::new(), retry_after_s: Some(3) }, 429),
            (Error::TooLarge(String::new()), 413),
            (Error::Gone { oldest_seq: 3 }, 410),
            (Error::Unavailable { retry_after_s: 1 }, 503),
            (Error::ProviderUnavailable { why: String::new(), retry_after_s: 1 }, 503),
            (Error::NotConfigured(String::new()), 501),
            (Error::Full, 507),
            (Error::Internal, 500),
        ] {
            let response = Refusal::from(error.clone()).into_response();
            assert_eq!(response.status().as_u16(), status, "{error:?}");
            let retry = response.headers().contains_key(RETRY_AFTER);
            assert_eq!(retry, retry_after(&error).is_some(), "{error:?}");
        }
    }
}
