//! People: whoever registers for a platform of their own is an app of one end user.

use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tidings_core::id::{AppId, GrantId, UserId};
use tidings_core::limits;
use tidings_store as store;
use zeroize::Zeroizing;

use crate::validate::Checks;
use crate::{Caller, Error, Result, Scope, Service};

/// The external id of a person's app begins with it.
const PREFIX: &str = "pryv:";

/// Who may register.
#[derive(Clone, Default)]
pub enum Registration {
    /// Nobody but those whom an owner key registers.
    #[default]
    Closed,
    /// Whoever knows one of these invitations.
    Invited(Vec<Zeroizing<String>>),
    /// Anybody.
    Open,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("Closed"),
            Self::Invited(all) => write!(f, "Invited({})", all.len()),
            Self::Open => f.write_str("Open"),
        }
    }
}

/// A person who registers.
#[derive(Clone)]
pub struct NewPerson {
    /// 5 to 60 small letters, digits and inner dashes; unique in the installation.
    pub username: String,
    /// The password that the person chose.
    pub password: Zeroizing<String>,
    /// Where to write to the person.
    pub email: Option<String>,
    /// The person's language, such as `en`.
    pub language: Option<String>,
    /// The invitation that the person has.
    pub invitation: Option<String>,
}

impl std::fmt::Debug for NewPerson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewPerson").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The app that is the person's own.
    pub app: AppId,
    /// Its one end user.
    pub user: UserId,
    /// The person's name.
    pub username: String,
    /// `email`, `language` and what the dialect keeps: a JSON object.
    pub details: Value,
}

impl Service {
    /// Says who may register; nobody, unless this is called.
    #[must_use]
    pub fn with_people(mut self, registration: Registration) -> Self {
        self.registration = registration.into();
        self
    }

    /// Registers a person who comes by themselves.
    ///
    /// # Errors
    /// Refused when the installation does not let this person register; invalid; conflict when the name is
    /// taken; unavailable when too many register.
    pub async fn register_person(&self, new: NewPerson) -> Result<Person> {
        let allowed = match &*self.registration {
            Registration::Closed => false,
            Registration::Open => true,
            Registration::Invited(all) => is_invited(all, new.invitation.as_deref()),
        };
        if !allowed {
            let why = "registration is not open to you; ask the operator for an invitation";
            return Err(Error::Refused(why.into()));
        }
        self.add_person(new, "system".into()).await
    }

    /// Registers a person on behalf of the operator. Owner keys only.
    ///
    /// # Errors
    /// Forbidden; invalid; conflict when the name is taken.
    pub async fn register_person_as(&self, caller: &Caller, new: NewPerson) -> Result<Person> {
        self.allow_owner(caller, "person.create", caller.actor().as_str()).await?;
        self.add_person(new, caller.actor()).await
    }

    /// A person by name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn person(&self, username: &str) -> Result<Option<Person>> {
        let found = self.find_person(username).await?;
        Ok(found.map(|(app, user)| person(&app, user)))
    }

    /// Lets a person in by password. The caller lasts for this request and may do everything in the person's
    /// app: mint a token with it. For a wrong password and an unknown name the answer is the same.
    ///
    /// # Errors
    /// Unauthenticated; limit exceeded when the name was tried too often lately; unavailable when too many
    /// come at once.
    pub async fn login_person(&self, username: &str, password: &str) -> Result<Caller> {
        if password.len() > limits::PASSWORD_BYTES_MAX || username.len() > limits::NAME_BYTES_MAX {
            return Err(Error::Unauthenticated);
        }
        let found = self.find_person(username).await?;
        let stored = match &found {
            Some((_, user)) => self.store.user_password(user.user_no).await?,
            None => None,
        };
        let password = Zeroizing::new(password.to_owned());
        let right = self.passwords.check(username, password, stored, &self.clock).await?;
        match found {
            Some((app, user)) if right => {
                let id = GrantId(user.id.0);
                let scopes = [Scope::Admin];
                Ok(Caller::unstored(id, app, Some(&user), username, &scopes, self.now()))
            }
            _ => Err(Error::Unauthenticated),
        }
    }

    /// Gives the caller's end user another password; the present one must be known.
    ///
    /// # Errors
    /// Forbidden; unauthenticated when `present` is wrong; invalid; limit exceeded; unavailable.
    pub async fn change_password(
        &self,
        caller: &Caller,
        present: &str,
        new: Zeroizing<String>,
    ) -> Result<()> {
        self.allow(caller, Scope::Admin, "person.password", caller.grant_id()).await?;
        let id = caller.user_id().ok_or(Error::Forbidden(Scope::Admin.as_str()))?;
        let user = self.find_user(caller, id).await?;
        let name = user.external_id.unwrap_or_default();
        let mut checks = Checks::default();
        check_password(&mut checks, "/newPassword", &new);
        checks.done()?;
        let stored = self.store.user_password(user.user_no).await?;
        let present = Zeroizing::new(present.to_owned());
        if !self.passwords.check(&name, present, stored, &self.clock).await? {
            return Err(Error::Unauthenticated);
        }
        let password = Some(self.passwords.hash(new, &self.ids).await?);
        let update = store::EndUserUpdate { password, ..store::EndUserUpdate::default() };
        let entry = caller.did("person.password", id);
        self.store.update_user(user.user_no, update, Vec::new(), entry, self.now()).await?;
        Ok(())
    }

    async fn add_person(&self, new: NewPerson, actor: String) -> Result<Person> {
        check(&new)?;
        self.has_room()?;
        if self.find_person(&new.username).await?.is_some() {
            return Err(taken());
        }
        let NewPerson { username, password, email, language, invitation: _ } = new;
        let password = Some(self.passwords.hash(password, &self.ids).await?);
        let now = self.now();
        let (app, user) = (AppId(self.ids.next(now)), UserId(self.ids.next(now)));
        let new_app = store::NewApp {
            id: app,
            name: username.clone(),
            external_id: Some(format!("{PREFIX}{username}")),
            webhook_url: None,
            created_at: now,
        };
        let new_user = store::NewEndUser {
            id: user,
            app_no: 0,
            external_id: Some(username),
            name: None,
            details: json!({ "email": email, "language": language }),
            password,
        };
        let entry = store::AuditEntry {
            actor,
            action: "person.create",
            object: app.to_string(),
            denied: false,
            address: None,
            detail: json!({}),
        };
        let made = self.store.create_person(new_app, new_user, entry).await;
        let (app, user) = made.map_err(|error| match error.is_conflict() {
            true => taken(),
            false => error.into(),
        })?;
        self.known.forget();
        Ok(person(&app, user))
    }

    async fn find_person(&self, username: &str) -> Result<Option<(store::App, store::EndUser)>> {
        let Some(app) = self.store.app_named(format!("{PREFIX}{username}")).await? else {
            return Ok(None);
        };
        let user = self.store.user_named(app.app_no, username.to_owned()).await?;
        Ok(user.map(|user| (app, user)))
    }
}

fn person(app: &store::App, user: store::EndUser) -> Person {
    let username = user.external_id.unwrap_or_default();
    Person { app: app.id, user: user.id, username, details: user.details }
}

fn taken() -> Error {
    Error::Conflict("this username is taken; choose another one".into())
}

fn is_invited(all: &[Zeroizing<String>], given: Option<&str>) -> bool {
    let given = given.unwrap_or_default().as_bytes();
    all.iter().fold(false, |found, one| found | bool::from(one.as_bytes().ct_eq(given)))
}

fn check(new: &NewPerson) -> Result<()> {
    let mut checks = Checks::default();
    let length = new.username.chars().count();
    let fits = (limits::USERNAME_CHARS_MIN..=limits::USERNAME_CHARS_MAX).contains(&length);
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let edge = new.username.starts_with('-') || new.username.ends_with('-');
    if !fits || edge || !new.username.bytes().all(inner) {
        let why = format!(
            "must be {} to {} small letters, digits and inner dashes",
            limits::USERNAME_CHARS_MIN,
            limits::USERNAME_CHARS_MAX
        );
        checks.refuse("/username", "username", why);
    }
    check_password(&mut checks, "/password", &new.password);
    checks.optional_name("/email", new.email.as_deref());
    if new.email.as_deref().is_some_and(|email| !email.contains('@')) {
        checks.refuse("/email", "email", "must be an e-mail address");
    }
    checks.optional_name("/language", new.language.as_deref());
    checks.done()
}

fn check_password(checks: &mut Checks, pointer: &str, password: &str) {
    let short = password.chars().count() < limits::PASSWORD_CHARS_MIN;
    if short || password.len() > limits::PASSWORD_BYTES_MAX {
        let why = format!(
            "must be at least {} characters and at most {} bytes",
            limits::PASSWORD_CHARS_MIN,
            limits::PASSWORD_BYTES_MAX
        );
        checks.refuse(pointer, "password", why);
    }
}
