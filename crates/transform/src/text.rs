//! Functions on strings. Rhai's own are not used: some of them make the result before they check its
//! size.

use rhai::{Array, Dynamic, Engine, EvalAltResult, INT, ImmutableString, Position};
use tidings_core::limits;

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

pub(crate) fn register(engine: &mut Engine) {
    engine
        .register_get("len", |text: &mut ImmutableString| length(text))
        .register_fn("len", |text: &str| length(text))
        .register_fn("is_empty", |text: &str| text.is_empty())
        .register_fn("trim", |text: &str| text.trim().to_owned())
        .register_fn("to_upper", |text: &str| text.to_uppercase())
        .register_fn("to_lower", |text: &str| text.to_lowercase())
        .register_fn("contains", |text: &str, part: &str| text.contains(part))
        .register_fn("starts_with", |text: &str, part: &str| text.starts_with(part))
        .register_fn("ends_with", |text: &str, part: &str| text.ends_with(part))
        .register_fn("index_of", index_of)
        .register_fn("sub_string", sub_string)
        .register_fn("sub_string", |text: &str, from: INT| sub_string(text, from, INT::MAX))
        .register_fn("replace", replace)
        .register_fn("split", split)
        .register_fn("join", join)
        .register_fn("+", |a: &str, b: Dynamic| concat(a, &b))
        .register_fn("+", |a: Dynamic, b: &str| prepend(&a, b));
}

/// Refuses a text before it is made.
fn fits(bytes: usize) -> Result<()> {
    if bytes <= limits::TRANSFORM_BODY_BYTES_MAX { Ok(()) } else { Err(too_large()) }
}

fn too_large() -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge("text".into(), Position::NONE).into()
}

/// Characters, not bytes.
fn length(text: &str) -> INT {
    INT::try_from(text.chars().count()).unwrap_or(INT::MAX)
}

/// The character at which `part` begins, or -1.
fn index_of(text: &str, part: &str) -> INT {
    text.find(part).map_or(-1, |at| length(&text[..at]))
}

/// At most `count` characters from the character `from` on; negative counts from the end.
fn sub_string(text: &str, from: INT, count: INT) -> String {
    let from = if from < 0 { (length(text) + from).max(0) } else { from };
    let skip = usize::try_from(from).unwrap_or(usize::MAX);
    let take = usize::try_from(count).unwrap_or(0);
    text.chars().skip(skip).take(take).collect()
}

/// The text with every `old` replaced.
fn replace(text: &str, old: &str, new: &str) -> Result<String> {
    if old.is_empty() {
        return Ok(text.to_owned());
    }
    let found = text.matches(old).count();
    fits(text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(text.replace(old, new))
}

fn split(text: &str, separator: &str) -> Result<Array> {
    if text.matches(separator).count() >= limits::TRANSFORM_VALUES_MAX {
        return Err(too_large());
    }
    Ok(text.split(separator).map(|part| Dynamic::from(ImmutableString::from(part))).collect())
}

/// The parts, with the separator between them.
fn join(parts: Array, separator: &str) -> Result<String> {
    let mut text = String::new();
    for (place, part) in parts.into_iter().enumerate() {
        let part = part.to_string();
        fits(text.len().saturating_add(part.len()).saturating_add(separator.len()))?;
        if place > 0 {
            text.push_str(separator);
        }
        text.push_str(&part);
    }
    Ok(text)
}

fn concat(a: &str, b: &Dynamic) -> Result<String> {
    let b = plain(b)?;
    fits(a.len().saturating_add(b.len()))?;
    Ok([a, &b].concat())
}

fn prepend(a: &Dynamic, b: &str) -> Result<String> {
    let a = plain(a)?;
    fits(a.len().saturating_add(b.len()))?;
    Ok([&a, b].concat())
}

/// A value without an inside, as text.
fn plain(value: &Dynamic) -> Result<String> {
    if value.is_array() || value.is_map() {
        let why = "a list or an object cannot be appended to text; use join or to_json";
        return Err(why.into());
    }
    Ok(value.to_string())
}
