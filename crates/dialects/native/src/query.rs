//! The strict query string: unknown, repeated and malformed parameters are refused.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The query string as `T`, which denies unknown fields.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let refuse = |detail: String| Problem::bad_request("invalid_query", detail);
        if !is_well_formed(parts.uri.query().unwrap_or_default()) {
            return Err(refuse("the query string is not percent-encoded UTF-8".to_owned()));
        }
        axum::extract::Query::try_from_uri(&parts.uri).map(|query| Self(query.0)).map_err(|error| {
            let text = error.body_text();
            refuse(text.split_once(": ").map_or(text.as_str(), |(_, said)| said).to_owned())
        })
    }
}

/// Whether every `%` begins two hex digits and what comes out is UTF-8 without control characters. The
/// lenient decoder that follows would replace what is not.
fn is_well_formed(query: &str) -> bool {
    let mut bytes = query.bytes();
    let mut decoded = Vec::with_capacity(query.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return false };
        decoded.push((high * 16 + low) as u8);
    }
    std::str::from_utf8(&decoded).is_ok_and(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        limit: Option<u32>,
        after: Option<String>,
    }

    async fn read(query: &str) -> Result<Sample, Problem> {
        let request = http::Request::get(format!("/x?{query}")).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        Query::from_request_parts(&mut parts, &()).await.map(|Query(sample)| sample)
    }

    #[tokio::test]
    async fn only_what_is_known_once_and_well_formed_passes() {
        for bad in [
            "limit=-1",
            "limit=abc",
            "limit=",
            "limit=99999999999999999999",
            "limit=10&limit=20",
            "limit[]=1",
            "other=1",
            "after=%ff",
            "after=%zz",
            "after=%2",
            "after=a%00b",
        ] {
            assert!(read(bad).await.is_err(), "{bad}");
        }
        let sample = read("limit=1000&after=a%20b%C3%A9").await.unwrap();
        assert_eq!((sample.limit, sample.after.as_deref()), (Some(1000), Some("a bé")));
        assert_eq!(read("").await.unwrap().limit, None);
    }
}
