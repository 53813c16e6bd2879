//! Between JSON and the values of a script.

use std::fmt;

use rhai::{Array, Dynamic, Engine, INT, Map};
use tidings_core::json::{Decimal, Inside, Lazy};
use tidings_core::limits;

use crate::error::TransformError;

/// A number that the script cannot calculate with, digit by digit.
#[derive(Clone)]
pub(crate) struct Exact(String);

impl Exact {
    pub(crate) fn register(engine: &mut Engine) {
        engine
            .register_type_with_name::<Self>("exact number")
            .register_fn("to_string", |exact: &mut Self| exact.0.clone())
            .register_fn("to_debug", |exact: &mut Self| exact.0.clone())
            .register_fn("==", |a: Self, b: Self| Decimal::parse(&a.0) == Decimal::parse(&b.0))
            .register_fn("!=", |a: Self, b: Self| Decimal::parse(&a.0) != Decimal::parse(&b.0));
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A body as a value; `()` when it is not JSON.
pub(crate) fn read(body: &[u8]) -> Result<Dynamic, TransformError> {
    if body.len() > limits::TRANSFORM_BODY_BYTES_MAX {
        let most = limits::TRANSFORM_BODY_BYTES_MAX;
        return Err(TransformError::new(format!("the body has more than {most} bytes")));
    }
    if tidings_core::json::validate(body).is_err() {
        return Ok(Dynamic::UNIT);
    }
    let text = std::str::from_utf8(body).unwrap_or_default();
    let mut left = limits::TRANSFORM_VALUES_MAX;
    value(&Lazy::new(text), &mut left)
}

/// As deep as [`limits::JSON_DEPTH_MAX`]: the document is validated.
fn value(json: &Lazy<'_>, left: &mut usize) -> Result<Dynamic, TransformError> {
    let Some(less) = left.checked_sub(1) else {
        let most = limits::TRANSFORM_VALUES_MAX;
        return Err(TransformError::new(format!("the body has more than {most} values")));
    };
    *left = less;
    Ok(match json.inside() {
        None | Some(Inside::Null) => Dynamic::UNIT,
        Some(Inside::Bool(value)) => Dynamic::from(*value),
        Some(Inside::Text(text)) => Dynamic::from(text.to_string()),
        Some(Inside::Number(number)) => self::number(*number),
        Some(Inside::List(items)) => {
            let items: Result<Array, _> = items.iter().map(|item| value(item, left)).collect();
            Dynamic::from_array(items?)
        }
        Some(Inside::Object(members)) => {
            let mut map = Map::new();
            for (key, member) in members {
                map.insert(key.as_ref().into(), value(member, left)?);
            }
            Dynamic::from_map(map)
        }
    })
}

fn number(number: Decimal<'_>) -> Dynamic {
    let text = number.text();
    if let Ok(integer) = text.parse::<INT>() {
        return Dynamic::from(integer);
    }
    match text.parse::<f64>() {
        Ok(double) if Decimal::parse(&format!("{double:e}")) == Some(number) => {
            Dynamic::from(double)
        }
        _ => Dynamic::from(Exact(text.to_owned())),
    }
}

/// A value as JSON text.
pub(crate) fn print(value: &Dynamic) -> Result<String, TransformError> {
    let mut text = String::new();
    append(value, 0, &mut text)?;
    Ok(text)
}

fn append(value: &Dynamic, depth: usize, text: &mut String) -> Result<(), TransformError> {
    if depth > limits::JSON_DEPTH_MAX {
        let most = limits::JSON_DEPTH_MAX;
        return Err(TransformError::new(format!("body is nested deeper than {most} levels")));
    }
    if let Some(items) = value.read_lock::<Array>() {
        text.push('[');
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            append(item, depth + 1, text)?;
        }
        text.push(']');
    } else if let Some(members) = value.read_lock::<Map>() {
        text.push('{');
        for (place, (key, member)) in members.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            append_text(key, text);
            text.push(':');
            append(member, depth + 1, text)?;
        }
        text.push('}');
    } else {
        append_scalar(value, text)?;
    }
    if text.len() > limits::TRANSFORM_BODY_BYTES_MAX {
        let most = limits::TRANSFORM_BODY_BYTES_MAX;
        return Err(TransformError::new(format!("makes a body of more than {most} bytes")));
    }
    Ok(())
}

fn append_scalar(value: &Dynamic, text: &mut String) -> Result<(), TransformError> {
    if value.is_unit() {
        text.push_str("null");
    } else if let Ok(value) = value.as_bool() {
        text.push_str(if value { "true" } else { "false" });
    } else if let Ok(integer) = value.as_int() {
        text.push_str(&integer.to_string());
    } else if let Ok(double) = value.as_float() {
        let Some(number) = serde_json::Number::from_f64(double) else {
            let why = "body holds a number that JSON cannot write: infinite, or not a number";
            return Err(TransformError::new(why));
        };
        text.push_str(&number.to_string());
    } else if let Ok(character) = value.as_char() {
        append_text(character.encode_utf8(&mut [0; 4]), text);
    } else if let Some(exact) = value.read_lock::<Exact>() {
        text.push_str(&exact.0);
    } else if let Some(string) = value.read_lock::<rhai::ImmutableString>() {
        append_text(&string, text);
    } else {
        let why = format!("body holds a {}, for which JSON has no form", value.type_name());
        return Err(TransformError::new(why));
    }
    Ok(())
}

fn append_text(string: &str, text: &mut String) {
    text.push_str(&serde_json::Value::from(string).to_string());
}
