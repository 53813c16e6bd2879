//! What answers have in common.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer, Serialize};
use tidings_service::{Page, PageInput};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;

/// What a handler returns.
pub(crate) type Answer<T> = Result<T, Problem>;

/// Which page of a list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

impl From<PageQuery> for PageInput {
    fn from(query: PageQuery) -> Self {
        Self { cursor: query.cursor, limit: query.limit }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageAnswer<T: ToSchema> {
    /// The items.
    pub(crate) data: Vec<T>,
    /// Leads on in the list; absent on the last page.
    pub(crate) next_cursor: Option<String>,
    /// Whether more follows.
    pub(crate) has_more: bool,
}

/// Puts a page of the service on the wire.
pub(crate) fn page<R, T: ToSchema + From<R>>(page: Page<R>) -> Json<PageAnswer<T>> {
    Json(PageAnswer {
        has_more: page.next.is_some(),
        next_cursor: page.next,
        data: page.items.into_iter().map(T::from).collect(),
    })
}

/// Something was made, and this is where it is found.
#[derive(Debug)]
pub(crate) struct Made<T> {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    pub(crate) body: T,
}

impl<T> Made<T> {
    /// 201.
    pub(crate) fn created(location: String, body: T) -> Self {
        Self { status: StatusCode::CREATED, location, body }
    }
}

impl<T: Serialize> IntoResponse for Made<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

/// Tells a field that is `null` (clear it) from one that is absent (keep it).
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
