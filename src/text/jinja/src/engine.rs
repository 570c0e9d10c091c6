//! One render: the environment transformers would set up, the template compiled and patched, and its text or its error.

use minijinja::machinery::{eval, make_string_output, parse, CodeGenerator, Instructions};
use minijinja::value::{Rest, Value, ValueOrKwargs};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State};

use crate::args::Args;
use crate::ffi::Clock;
use crate::filters::FILTERS;
use crate::globals;
use crate::memory;
use crate::methods;
use crate::msgpack;
use crate::patch;
use crate::predicates::TESTS;
use crate::repr;
use crate::source;
use crate::value::Result;

const NAME: &str = "template";
/// Nested scopes; a macro call counts four. Python's own limit lies between 200 and 300 macro calls.
const RECURSION_LIMIT: usize = 1500;

/// A failed render: what went wrong, and the line of the template where known.
pub struct Failure {
    pub message: String,
    pub line: usize,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let message = match (error.kind(), error.detail()) {
            (ErrorKind::InvalidOperation, Some(detail)) => detail.to_string(),
            (kind, Some(detail)) => format!("{kind}: {detail}"),
            (kind, None) => kind.to_string(),
        };
        Failure { message, line: error.line().unwrap_or(0) }
    }
}

/// Renders `source` with the variables of the MessagePack map `context`; `fuel` bounds the instructions executed where given.
pub fn render(source: &[u8], context: &[u8], clock: Clock, fuel: Option<u64>) -> std::result::Result<String, Failure> {
    let source = std::str::from_utf8(source).map_err(|e| {
        let line = source[..e.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure { message: "the template is not UTF-8".to_string(), line }
    })?;
    let source = source::normalize(source)?;
    let context = msgpack::decode(context)?;
    let env = environment(clock, fuel);
    let (program, blocks) = compile(&source)?;
    let program = patch::patch(&program);
    let blocks = blocks.iter().map(|(name, block)| (*name, patch::patch(block))).collect();
    let mut text = String::new();
    eval(&env, &program, context, &blocks, &mut make_string_output(&mut text), AutoEscape::None)?;
    Ok(text)
}

type Program<'s> = (Instructions<'s>, std::collections::BTreeMap<&'s str, Instructions<'s>>);

fn compile(source: &str) -> std::result::Result<Program<'_>, Failure> {
    let tree = parse(source, NAME, source::syntax()?)?;
    let mut generator = CodeGenerator::new(NAME, source);
    generator.compile_stmt(&tree);
    Ok(generator.finish())
}

fn environment(clock: Clock, fuel: Option<u64>) -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_debug(true);
    env.set_fuel(fuel);
    env.set_recursion_limit(RECURSION_LIMIT);
    env.set_formatter(print);
    env.set_unknown_method_callback(methods::call);
    for (name, filter) in FILTERS {
        env.add_filter(*name, |state: &mut State, args: Rest<ValueOrKwargs>| {
            filter(state, Args::new(name, args.into_values())?)
        });
    }
    for (name, test) in TESTS {
        env.add_test(*name, |state: &mut State, args: Rest<ValueOrKwargs>| test(state, Args::new(name, args.into_values())?));
    }
    patch::add_operators(&mut env);
    globals::add(&mut env, clock);
    env
}

/// `{{ value }}`
fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<()> {
    if !matches!(state.auto_escape(), AutoEscape::None) {
        return minijinja::escape_formatter(out, state, value);
    }
    match value.as_str().filter(|_| value.kind() == minijinja::value::ValueKind::String) {
        Some(text) => memory::reserve(text.len()).and_then(|()| Ok(out.write_str(text)?)),
        None => Ok(out.write_str(&repr::to_str(value)?)?),
    }
}
