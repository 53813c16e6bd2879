//! The id in a path.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use crate::problem::Problem;

/// The one id in the path. What is not an id of the kind gets the answer of an unknown id.
#[derive(Debug)]
pub(crate) struct PathId<T>(pub(crate) T);

/// The two ids in the path: of a thing and of a part of it.
#[derive(Debug)]
pub(crate) struct PathIds<T, U>(pub(crate) T, pub(crate) U);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = read(parts, state).await?;
        params.first().and_then(|text| text.parse().ok()).map(Self).ok_or_else(unknown)
    }
}

impl<T: FromStr, U: FromStr, S: Send + Sync> FromRequestParts<S> for PathIds<T, U> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = read(parts, state).await?;
        let [first, second] = &params[..] else { return Err(unknown()) };
        let (Ok(first), Ok(second)) = (first.parse(), second.parse()) else {
            return Err(unknown());
        };
        Ok(Self(first, second))
    }
}

async fn read<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Vec<String>, Problem> {
    // Fails when the path is not UTF-8 behind its percent signs.
    let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| unknown())?;
    Ok(params.iter().map(|(_, value)| value.to_owned()).collect())
}

/// The answer for an id that names nothing of this app.
pub(crate) fn unknown() -> Problem {
    Problem::not_found("the id in the path names nothing of this app")
}
