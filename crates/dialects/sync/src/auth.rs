//! Who calls: an API key, an API key acting as one of its users, or a user's session.

use tidings_core::id::UserId;
use tidings_service::{Caller, Error, GrantKind, Service};
use zeroize::Zeroizing;

use crate::params::Params;
use crate::refusal::Refusal;
use crate::wire::bits;

/// Whose tokens let in here: a token of another surface opens nothing.
const KINDS: [GrantKind; 3] = [GrantKind::Owner, GrantKind::App, GrantKind::Session];

/// What a request carries to be let in. `Debug` shows no secret.
#[derive(Default)]
pub(crate) enum Presented {
    /// Nothing.
    #[default]
    Nothing,
    /// An API key or a session's token, and the user that the key acts as.
    Secret { text: Zeroizing<String>, id_user: Option<String> },
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Secret { id_user, .. } => write!(f, "Secret(id_user: {id_user:?})"),
        }
    }
}

impl Presented {
    /// Reads `api_key api_key=K[,id_user=U]`, `token token=T` and `Bearer T`, the scheme in any case. What
    /// cannot be read is nothing.
    pub(crate) fn in_header(text: &str) -> Self {
        let Some((scheme, rest)) = text.trim().split_once(' ') else { return Self::Nothing };
        let pair = |name: &str| {
            rest.split(',').find_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                let value = value.trim().trim_matches('"');
                (key.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then_some(value)
            })
        };
        let found = match scheme.to_ascii_lowercase().as_str() {
            "api_key" => pair("api_key"),
            "token" => pair("token"),
            "bearer" => Some(rest.trim()),
            _ => None,
        };
        let Some(text) = found.map(str::to_owned) else { return Self::Nothing };
        Self::Secret { text: text.into(), id_user: pair("id_user").map(str::to_owned) }
    }

    /// Reads the parameters `token`, or `api_key`. The parameter `id_user` is read by [`Call`]s that act
    /// as a user; elsewhere it means something else.
    ///
    /// [`Call`]: crate::call::Call
    pub(crate) fn in_params(params: &Params) -> Result<Self, Refusal> {
        let token = params.optional_text("token")?;
        let text =
            token.map_or_else(|| params.optional_text("api_key"), |token| Ok(Some(token)))?;
        Ok(match text {
            Some(text) => Self::Secret { text: text.into(), id_user: None },
            None => Self::Nothing,
        })
    }

    /// The user that an API key acts as by its header.
    pub(crate) fn id_user(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Secret { id_user, .. } => id_user.as_deref(),
        }
    }

    async fn caller(&self, service: &Service) -> Result<Caller, Refusal> {
        match self {
            Self::Nothing => Err(Refusal::unauthorized()),
            Self::Secret { text, .. } => Ok(service.authenticate_text(text, None, &KINDS).await?),
        }
    }

    /// The holder of an API key: webhooks, users and sessions are managed with nothing less.
    pub(crate) async fn key_holder(&self, service: &Service) -> Result<Caller, Refusal> {
        let caller = self.caller(service).await?;
        match caller.user_id() {
            None => Ok(caller),
            Some(_) => {
                Err(Refusal::forbidden("this takes an API key; a session acts as its user only"))
            }
        }
    }

    /// Somebody who reads what credentials hold.
    pub(crate) async fn reader(
        &self,
        service: &Service,
        params: &Params,
    ) -> Result<Acting, Refusal> {
        let caller = self.caller(service).await?;
        let named = match self {
            Self::Secret { id_user: Some(named), .. } => Some(named.clone()),
            _ => params.optional_text("id_user")?,
        };
        let named = named.map(|text| bits(&text, "user").map(UserId)).transpose()?;
        let user = match (caller.user_id(), named) {
            (Some(own), Some(named)) if own != named => {
                return Err(Error::NotFound("user").into());
            }
            (Some(own), _) => Some(own),
            (None, Some(named)) => Some(service.user(&caller, named).await?.id),
            (None, None) => None,
        };
        Ok(Acting { caller, user })
    }
}

/// A caller, and the user whose things it sees: all users' when there is none.
#[derive(Clone, Debug)]
pub(crate) struct Acting {
    pub(crate) caller: Caller,
    pub(crate) user: Option<UserId>,
}

impl Acting {
    /// The user, without whom nothing can be written.
    pub(crate) fn user(&self) -> Result<UserId, Refusal> {
        self.user.ok_or_else(|| {
            Refusal::bad_request("name the user: send a session token, or id_user with the API key")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_scheme_is_read_in_any_case() {
        for (text, secret, user) in [
            ("api_key api_key=K", "K", None),
            ("API_KEY api_key=K", "K", None),
            ("Api_Key  api_key=K ", "K", None),
            ("api_key api_key=K,id_user=U", "K", Some("U")),
            ("api_key api_key=K, id_user=U", "K", Some("U")),
            ("api_key id_user=U, api_key=\"K\"", "K", Some("U")),
            ("TOKEN token=T", "T", None),
            ("token token=T", "T", None),
            ("Bearer T", "T", None),
            ("bearer  T=", "T=", None),
        ] {
            let Presented::Secret { text: found, id_user } = Presented::in_header(text) else {
                panic!("{text}")
            };
            assert_eq!((found.as_str(), id_user.as_deref()), (secret, user), "{text}");
        }
        for stranger in
            ["", "K", "api_key", "api_key K", "api_key token=T", "token api_key=K", "Basic x"]
        {
            assert!(matches!(Presented::in_header(stranger), Presented::Nothing), "{stranger}");
        }
    }

    #[test]
    fn a_secret_does_not_show() {
        let presented = Presented::in_header("api_key api_key=s3cret,id_user=U");
        assert!(!format!("{presented:?}").contains("s3cret"));
    }
}
