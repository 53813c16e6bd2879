//! The strict JSON body.
//!
//! Exactly `application/json`, UTF-8, bounded in size and depth; unknown fields and wrong types are
//! refused with a pointer to the place. A document that is kept byte for byte stays a `RawValue`.

use std::marker::PhantomData;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tidings_core::{json, limits};
use tidings_inbound::{BodyError, is_json, whole};

use crate::caller::single;
use crate::problem::Problem;

/// A request body that must be there.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// A request body that may be left out; absent is `T::default()`.
#[derive(Debug)]
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        check_headers(&parts.headers)?;
        parse(&read(&parts.headers, body).await?).map(Self)
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        check_headers(&parts.headers)?;
        parse(&bytes).map(Self)
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |detail: &str| {
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    };
    if let Some(encoding) = single(headers, &CONTENT_ENCODING)?
        && !encoding.eq_ignore_ascii_case("identity")
    {
        return Err(refuse("send the body without content-encoding"));
    }
    match single(headers, &CONTENT_TYPE)? {
        Some(given) if is_json(given) => Ok(()),
        _ => Err(refuse("send the body as content-type: application/json in UTF-8")),
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("a request body has at most {} bytes", limits::REQUEST_BODY_BYTES_MAX),
        )
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > limits::REQUEST_BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    match whole(body, limits::REQUEST_BODY_BYTES_MAX).await {
        Ok(body) => Ok(body.into()),
        Err(BodyError::TooLong) => Err(too_large()),
        Err(BodyError::BrokenOff) => {
            Err(Problem::bad_request("malformed", "the request body broke off"))
        }
    }
}

/// Reads a document into `T`.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(Problem::bad_request("malformed", "the request body is not UTF-8"));
    }
    json::validate(bytes).map_err(|error| Problem::bad_request("malformed", error.to_string()))?;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read: Result<Object<T>, _> = serde_path_to_error::deserialize(&mut deserializer);
    read.map(|Object(input)| input).map_err(|error| {
        let path = pointer(error.path());
        refusal(path, &error.into_inner().to_string())
    })
}

/// A `T` written as a JSON object; serde by itself would also take an array of its fields.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
    }
}

/// Turns what serde says into the pointer and code of the place that is wrong.
fn refusal(mut path: String, message: &str) -> Problem {
    let detail = message.rsplit_once(" at line ").map_or(message, |(said, _)| said);
    let named = |prefix| detail.strip_prefix(prefix).and_then(|rest: &str| rest.split('`').next());
    // These two are about a field of the object that the path ends in.
    let code = if let Some(name) = named("missing field `") {
        path = format!("{path}/{}", escape(name));
        "missing"
    } else if let Some(name) = named("duplicate field `") {
        path = format!("{path}/{}", escape(name));
        "duplicate_field"
    } else if detail.starts_with("unknown field") {
        "unknown_field"
    } else if detail.starts_with("invalid type") {
        "wrong_type"
    } else {
        "invalid"
    };
    Problem::invalid(path, code, detail)
}

/// RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", escape(key)),
        Segment::Enum { variant } => format!("/{}", escape(variant)),
        Segment::Unknown => String::new(),
    };
    path.iter().map(segment).collect()
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        data: Box<RawValue>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        #[serde(default)]
        list: Vec<u8>,
        #[serde(default)]
        inner: Vec<Object<Inner>>,
        data: Box<RawValue>,
    }

    #[test]
    fn a_refusal_points_at_the_place() {
        for (body, pointer, code) in [
            (r#"[]"#, "", "wrong_type"),
            (r#"{}"#, "/name", "missing"),
            (r#"{"name":"x"}"#, "/data", "missing"),
            (r#"{"name":1,"data":1}"#, "/name", "wrong_type"),
            (r#"{"name":"x","data":1,"list":[1,"2"]}"#, "/list/1", "wrong_type"),
            (r#"{"name":"x","data":1,"list":[999]}"#, "/list/0", "invalid"),
            (r#"{"name":"x","data":1,"a/b":2}"#, "/a~1b", "unknown_field"),
            (r#"{"name":"x","name":"y","data":1}"#, "/name", "duplicate_field"),
            (r#"{"name":"x","data":1,"inner":[[1]]}"#, "/inner/0", "wrong_type"),
            (
                r#"{"name":"x","data":1,"inner":[{"data":1},{"b":1}]}"#,
                "/inner/1/b",
                "unknown_field",
            ),
            (r#"["x",[],[],1]"#, "", "wrong_type"),
        ] {
            let problem = parse::<Sample>(body.as_bytes()).unwrap_err();
            let answer = format!("{problem:?}");
            assert!(answer.contains(&format!("pointer: {pointer:?}")), "{body}: {answer}");
            assert!(answer.contains(&format!("code: {code:?}")), "{body}: {answer}");
        }
    }

    #[test]
    fn raw_values_keep_their_bytes() {
        let data = r#"{ "a" :  1.0, "a":9007199254740993 }"#;
        let body = format!(r#"{{"name":"x", "data" :  {data} , "inner":[{{"data": {data} }}]}}"#);
        let sample: Sample = parse(body.as_bytes()).unwrap();
        assert_eq!((sample.data.get(), sample.inner[0].0.data.get()), (data, data));
        assert_eq!((sample.name.as_str(), sample.list.len()), ("x", 0));
    }

    #[test]
    fn media_types_are_exact() {
        for (media_type, good) in [
            ("application/json", true),
            ("Application/JSON;charset=UTF-8", true),
            ("application/json ; charset=\"utf-8\"", true),
            ("application/json; x=y", true),
            ("application/json; charset=utf-16", false),
            ("application/json, text/plain", false),
            ("application/vnd.api+json", false),
            ("xapplication/json", false),
            ("", false),
        ] {
            assert_eq!(is_json(media_type), good, "{media_type:?}");
        }
    }
}
