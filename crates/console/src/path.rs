//! What a path and its query say. What is not an id of the right kind leads to no page.

use axum::extract::{FromRequestParts, Path as AxumPath, RawQuery};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{Desk, Refusal};

/// The parts of the path, as axum's own `Path`, with a page of ours for what does not parse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Desk> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Refusal> {
        let AxumPath(path) =
            AxumPath::from_request_parts(parts, desk).await.map_err(|_| Refusal::NoSuchPage)?;
        Ok(Self(path))
    }
}

/// The query. Fields may be repeated (`Vec`); unknown ones are passed over.
#[derive(Clone, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Desk> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Refusal> {
        let RawQuery(query) = match RawQuery::from_request_parts(parts, desk).await {
            Ok(query) => query,
            Err(never) => match never {},
        };
        let query = serde_html_form::from_str(query.as_deref().unwrap_or_default());
        query.map(Self).map_err(|error| {
            Refusal::BadForm(StatusCode::BAD_REQUEST, format!("the address: {error}"))
        })
    }
}
