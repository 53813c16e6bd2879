//! Who is there: an operator who is signed in, an end user in the portal, or nobody.
//!
//! The guard finds out once a request and leaves a [`Visit`] with it; pages take what they need of it by
//! naming [`Visitor`] or [`Guest`] among their arguments.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderMap, Method};
use sha2::{Digest, Sha256};
use tidings_core::id::AppId;
use tidings_core::{key, limits};
use tidings_service::{Caller, Error, GrantKind, OperatorSession, Origin, Role};

use crate::cookies::Cookie;
use crate::layout::Theme;
use crate::notice::Notice;
use crate::{Desk, Refusal};

/// One request to the console or the portal.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// Its method.
    pub(crate) method: Method,
    /// Its path and query.
    pub(crate) target: String,
    /// The chosen theme.
    pub(crate) theme: Theme,
    /// What the page is to say.
    pub(crate) notice: Option<Notice>,
    /// What forms carry while nobody is signed in.
    pub(crate) form: FormToken,
    /// Whence it came.
    pub(crate) origin: Origin,
    /// Who is there.
    pub(crate) who: Who,
}

/// What forms of the signed-out pages carry, and the cookie that must say the same.
#[derive(Clone, Debug)]
pub(crate) struct FormToken {
    /// The text.
    pub(crate) text: String,
    /// Whether the browser has it not yet.
    pub(crate) is_new: bool,
}

/// Who is there.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    /// Nobody we know.
    Nobody,
    /// An operator.
    Operator(Box<OperatorSession>),
    /// An end user, by a link to the portal.
    Guest {
        /// The end user as a caller.
        caller: Box<Caller>,
        /// What the portal's forms carry.
        csrf: String,
    },
}

impl Visit {
    /// Reads a request. A session that has ended is nobody.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn of(desk: &Desk, parts: &Parts) -> Result<Self, Refusal> {
        let secure = desk.options.secure;
        let read = |cookie: Cookie| cookie.read(&parts.headers, secure);
        let form = match read(Cookie::Form) {
            Some(text) => FormToken { text: text.to_owned(), is_new: false },
            None => FormToken { text: key::hex64(desk.service.ids()).to_string(), is_new: true },
        };
        let mut visit = Self {
            method: parts.method.clone(),
            target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            theme: Theme::of_cookie(read(Cookie::Theme)),
            notice: read(Cookie::Notice).and_then(Notice::of_key),
            form,
            origin: origin(parts),
            who: Who::Nobody,
        };
        visit.who = if is_portal(parts.uri.path()) {
            guest(desk, read(Cookie::Portal)).await?
        } else {
            operator(desk, read(Cookie::Session), &visit).await?
        };
        Ok(visit)
    }

    /// What a form of this visit must carry; none when there is no form that it could have come from.
    pub(crate) fn csrf(&self) -> Option<&str> {
        match &self.who {
            Who::Operator(session) => Some(&session.csrf),
            Who::Guest { csrf, .. } => Some(csrf),
            Who::Nobody if self.form.is_new => None,
            Who::Nobody => Some(&self.form.text),
        }
    }

    /// Whether this is an operator who may change nothing.
    pub(crate) fn only_looks(&self) -> bool {
        matches!(&self.who, Who::Operator(session) if session.operator.role == Role::Viewer)
    }

    fn of_parts(parts: &Parts) -> Arc<Self> {
        let visit = parts.extensions.get::<Arc<Self>>();
        Arc::clone(visit.expect("the guard stands around every route and leaves the visit"))
    }
}

/// What tells the browser of an operator's session from others, without the session's token: a connection
/// that was begun there by consent ends only there.
pub fn browser(headers: &HeaderMap, secure: bool) -> Option<String> {
    let token = Cookie::Session.read(headers, secure)?;
    let hash = Sha256::new().chain_update(b"console browser\0").chain_update(token).finalize();
    Some(URL_SAFE_NO_PAD.encode(hash))
}

/// Whether a page asks this by itself: all live streams have a path that ends so.
fn is_live(target: &str) -> bool {
    target.split('?').next().is_some_and(|path| path.ends_with("/live"))
}

/// Whether a path belongs to the portal.
pub(crate) fn is_portal(path: &str) -> bool {
    path == "/portal" || path.starts_with("/portal/")
}

async fn operator(desk: &Desk, token: Option<&str>, visit: &Visit) -> Result<Who, Refusal> {
    let Some(token) = token else { return Ok(Who::Nobody) };
    let session = match is_live(&visit.target) {
        true => desk.service.glance_at_session(token, &visit.origin).await,
        false => desk.service.operator_session(token, &visit.origin).await,
    };
    match session {
        Ok(session) => Ok(Who::Operator(Box::new(session))),
        Err(Error::Unauthenticated) => Ok(Who::Nobody),
        Err(error) => Err(error.into()),
    }
}

async fn guest(desk: &Desk, token: Option<&str>) -> Result<Who, Refusal> {
    let Some(token) = token else { return Ok(Who::Nobody) };
    match desk.service.authenticate_text(token, None, &[GrantKind::Portal]).await {
        Ok(caller) => Ok(Who::Guest { caller: Box::new(caller), csrf: portal_csrf(token) }),
        Err(Error::Unauthenticated | Error::NotFound(_)) => Ok(Who::Nobody),
        Err(error) => Err(error.into()),
    }
}

/// What the portal's forms carry: only who has the token can say it, and it does not say the token.
fn portal_csrf(token: &str) -> String {
    let hash = Sha256::new().chain_update(b"portal form\0").chain_update(token).finalize();
    URL_SAFE_NO_PAD.encode(hash)
}

/// Whence a request came.
fn origin(parts: &Parts) -> Origin {
    let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let agent = agent.unwrap_or_default().chars().take(limits::NAME_BYTES_MAX).collect();
    Origin { address: tidings_inbound::client(parts), agent }
}

/// An operator who is signed in. As an argument of a page: whoever is not is sent to sign in, and comes
/// back after it.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// The operator's session.
    pub(crate) session: OperatorSession,
    /// The request.
    pub(crate) visit: Arc<Visit>,
    /// The version of this binary.
    pub(crate) version: &'static str,
}

impl Visitor {
    /// The operator as a caller in an app.
    pub(crate) async fn caller(&self, desk: &Desk, app: AppId) -> Result<Caller, Refusal> {
        Ok(desk.service.operator_caller(&self.session, app).await?)
    }

    /// As [`Visitor::caller`], for a page that changes something: a viewer is told so at once.
    pub(crate) async fn changing(&self, desk: &Desk, app: AppId) -> Result<Caller, Refusal> {
        self.must_change()?;
        self.caller(desk, app).await
    }

    /// The operator as a caller of the installation.
    pub(crate) fn installation(&self) -> Caller {
        self.session.caller_of_installation()
    }

    /// Whether the operator may change anything: pages show buttons and forms only then.
    pub(crate) fn may_change(&self) -> bool {
        self.session.operator.role != Role::Viewer
    }

    /// Checks [`Visitor::may_change`].
    pub(crate) fn must_change(&self) -> Result<(), Refusal> {
        if self.may_change() { Ok(()) } else { Err(Refusal::OnlyLook) }
    }

    /// Whether the operator owns the installation.
    pub(crate) fn is_owner(&self) -> bool {
        self.session.operator.role == Role::Owner
    }

    /// Checks that the password was given within the last minutes; otherwise the browser is sent to give
    /// it, and comes back to `back` (a page that is read by GET).
    pub(crate) fn must_be_sure(&self, desk: &Desk, back: &str) -> Result<(), Refusal> {
        if self.session.recently_authenticated(desk.service.now()) {
            return Ok(());
        }
        Err(Refusal::ConfirmFirst { back: back.to_owned() })
    }

    /// What forms carry; see [`crate::layout::csrf_field`].
    pub(crate) fn csrf(&self) -> &str {
        &self.session.csrf
    }
}

impl FromRequestParts<Desk> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Refusal> {
        let visit = Visit::of_parts(parts);
        match &visit.who {
            Who::Operator(session) => Ok(Self {
                session: (**session).clone(),
                visit: Arc::clone(&visit),
                version: desk.options.version,
            }),
            _ => Err(Refusal::SignIn { back: visit.target.clone(), read: is_read(&visit.method) }),
        }
    }
}

/// Anybody, signed in or not: for the pages before the door.
#[derive(Clone, Debug)]
pub(crate) struct Anyone(pub(crate) Arc<Visit>);

impl FromRequestParts<Desk> for Anyone {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Desk) -> Result<Self, Refusal> {
        Ok(Self(Visit::of_parts(parts)))
    }
}

/// An end user in the portal, by the cookie that `/portal/{token}` sets ([`Cookie::Portal`]). Whoever has
/// none, or one that is over, is told to ask for a new link.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// The end user as a caller: sees and changes only hooks of that user.
    pub(crate) caller: Caller,
    /// What forms carry; see [`crate::layout::csrf_input`].
    pub(crate) csrf: String,
    /// The request.
    pub(crate) visit: Arc<Visit>,
}

impl FromRequestParts<Desk> for Guest {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Desk) -> Result<Self, Refusal> {
        let visit = Visit::of_parts(parts);
        match &visit.who {
            Who::Guest { caller, csrf } => Ok(Self {
                caller: (**caller).clone(),
                csrf: csrf.clone(),
                visit: Arc::clone(&visit),
            }),
            _ => Err(Refusal::LinkIsOver),
        }
    }
}

/// Whether a method only reads.
pub(crate) fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
