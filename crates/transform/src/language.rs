//! The language: Rhai with what cannot do harm, and limits on everything.

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage,
    BasicStringPackage, LogicPackage, Package,
};
use rhai::{AST, Engine, Scope};
use tidings_core::limits;

use crate::error::TransformError;
use crate::text;
use crate::value::Exact;

/// What a script finds, in the order of the scope.
pub(crate) const BODY: &str = "body";
pub(crate) const HEADERS: &str = "headers";
pub(crate) const CHANGE: &str = "change";
pub(crate) const CHANGES: &str = "changes";

/// Words that print, run text as code, or call by name.
const DISABLED: [&str; 7] = ["eval", "print", "debug", "Fn", "call", "curry", "import"];

/// Compiles a script. No code of it runs.
pub(crate) fn compile(source: &str) -> Result<AST, TransformError> {
    let mut engine = bounded();
    engine.set_strict_variables(true);
    let mut scope = Scope::new();
    scope.push(BODY, ()).push(HEADERS, ()).push_constant(CHANGE, ()).push_constant(CHANGES, ());
    Ok(engine.compile_with_scope(&scope, source)?)
}

/// An engine that runs scripts.
pub(crate) fn engine() -> Engine {
    let mut engine = bounded();
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    text::register(&mut engine);
    Exact::register(&mut engine);
    engine
}

fn bounded() -> Engine {
    let mut engine = Engine::new_raw();
    for word in DISABLED {
        engine.disable_symbol(word);
    }
    engine
        .set_max_operations(limits::TRANSFORM_STEPS_MAX)
        .set_max_variables(limits::TRANSFORM_VARIABLES_MAX)
        .set_max_expr_depths(limits::TRANSFORM_DEPTH_MAX)
        .set_max_string_size(limits::TRANSFORM_BODY_BYTES_MAX)
        .set_max_array_size(limits::TRANSFORM_VALUES_MAX)
        .set_max_map_size(limits::TRANSFORM_VALUES_MAX);
    engine
}
