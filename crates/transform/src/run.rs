//! One run of a script.

use bytes::Bytes;
use rhai::{Dynamic, Engine, Map, Scope};
use tidings_core::access::header_refusal;
use tidings_core::change::Change;
use tidings_core::limits;

use crate::error::TransformError;
use crate::language::{BODY, CHANGE, CHANGES, HEADERS};
use crate::{Input, Output, Script, value};

/// Runs a script on an engine with all limits set.
pub(crate) fn run(
    engine: &Engine,
    script: &Script,
    input: &Input,
) -> Result<Output, TransformError> {
    let body = value::read(&input.body)?;
    let was_json = !body.is_unit();
    let before = value::print(&body)?;
    let about: Vec<Dynamic> = input.changes.iter().map(|change| about(change)).collect();
    let mut scope = Scope::new();
    scope.push_dynamic(BODY, body);
    scope.push_dynamic(HEADERS, Dynamic::from_map(Map::new()));
    scope.push_constant_dynamic(CHANGE, about.first().cloned().unwrap_or(Dynamic::UNIT));
    scope.push_constant_dynamic(CHANGES, Dynamic::from_array(about));
    engine.run_ast_with_scope(&mut scope, &script.0)?;
    let after = value::print(scope.get(BODY).unwrap_or(&Dynamic::UNIT))?;
    let unchanged = after == before;
    if !was_json && !unchanged {
        return Err(TransformError::new("the format has no JSON body that could be replaced"));
    }
    let headers = headers(scope.get(HEADERS).unwrap_or(&Dynamic::UNIT))?;
    Ok(Output { body: (!unchanged).then(|| Bytes::from(after)), headers })
}

/// What a script may know of a change besides the body.
fn about(change: &Change) -> Dynamic {
    let new = &change.new;
    let seq = i64::try_from(change.seq).unwrap_or(i64::MAX);
    let mut map = Map::from([
        ("id".into(), new.id.to_string().into()),
        ("type".into(), new.kind.clone().into()),
        ("seq".into(), seq.into()),
        ("timestamp".into(), new.occurred_at.to_string().into()),
        ("origin".into(), new.origin.as_str().to_owned().into()),
    ]);
    for (name, value) in [
        ("provider", &new.subject.provider),
        ("item", &new.subject.item),
        ("order_key", &new.order_key),
        ("actor", &new.actor),
    ] {
        if let Some(value) = value {
            map.insert(name.into(), value.clone().into());
        }
    }
    Dynamic::from_map(map)
}

fn headers(value: &Dynamic) -> Result<Vec<(String, String)>, TransformError> {
    let Some(map) = value.read_lock::<Map>() else {
        return Err(TransformError::new("headers must stay an object"));
    };
    if map.len() > limits::TRANSFORM_HEADERS_MAX {
        let most = limits::TRANSFORM_HEADERS_MAX;
        return Err(TransformError::new(format!("adds more than {most} headers")));
    }
    let mut headers = Vec::with_capacity(map.len());
    for (name, value) in map.iter() {
        if value.is_array() || value.is_map() || value.is_unit() {
            let why = format!("header {name:.64} must be a string, a number or a boolean");
            return Err(TransformError::new(why));
        }
        let value = value.to_string();
        if value.len() > limits::TRANSFORM_HEADER_BYTES_MAX {
            let most = limits::TRANSFORM_HEADER_BYTES_MAX;
            return Err(TransformError::new(format!(
                "header {name:.64} has more than {most} bytes"
            )));
        }
        if name == "authorization" {
            let why = "header authorization belongs to the hook's access";
            return Err(TransformError::new(why));
        }
        if let Some(why) = header_refusal(name, &value) {
            return Err(TransformError::new(format!("header {name:.64} {why}")));
        }
        headers.push((name.to_string(), value));
    }
    Ok(headers)
}
