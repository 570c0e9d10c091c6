//! jinja2's tests by name.

use minijinja::value::Value;
use minijinja::State;

use crate::args::Args;
use crate::filters;
use crate::objects::{BoundMethod, DictView, Joiner};
use crate::ops;
use crate::repr;
use crate::text::is_cased;
use crate::value::{int_value, is_native, iterate, length, py, type_name, Py, Result};

pub type Test = fn(&mut State, Args) -> Result<bool>;

pub const TESTS: &[(&str, Test)] = &[
    ("!=", |_, args| two(args).map(|[a, b]| !ops::eq(&a, &b))),
    ("<", |_, args| ordered(args, "<")),
    ("<=", |_, args| ordered(args, "<=")),
    ("==", |_, args| two(args).map(|[a, b]| ops::eq(&a, &b))),
    (">", |_, args| ordered(args, ">")),
    (">=", |_, args| ordered(args, ">=")),
    ("boolean", |_, args| args.one().map(|v| matches!(py(&v), Py::Bool(_)))),
    ("callable", |_, args| args.one().map(|v| is_callable(&v))),
    ("defined", |_, args| args.one().map(|v| !v.is_undefined())),
    ("divisibleby", |_, args| two(args).and_then(|[a, b]| Ok(ops::eq(&ops::rem(&a, &b)?, &int_value(0))))),
    ("eq", |_, args| two(args).map(|[a, b]| ops::eq(&a, &b))),
    ("equalto", |_, args| two(args).map(|[a, b]| ops::eq(&a, &b))),
    ("escaped", |_, args| args.one().map(|v| v.is_safe())),
    ("even", |_, args| remainder_of_two(&args.one()?, 0)),
    ("false", |_, args| args.one().map(|v| matches!(py(&v), Py::Bool(false)))),
    ("filter", |_, args| args.one().map(|v| v.as_str().is_some_and(|name| filters::find(name).is_some()))),
    ("float", |_, args| args.one().map(|v| matches!(py(&v), Py::Float(_)))),
    ("ge", |_, args| ordered(args, ">=")),
    ("greaterthan", |_, args| ordered(args, ">")),
    ("gt", |_, args| ordered(args, ">")),
    ("in", |_, args| two(args).and_then(|[item, container]| ops::contains(&item, &container))),
    ("integer", |_, args| args.one().map(|v| matches!(py(&v), Py::Int(_)))),
    ("iterable", |_, args| args.one().map(|v| is_iterable(&v))),
    ("le", |_, args| ordered(args, "<=")),
    ("lessthan", |_, args| ordered(args, "<")),
    ("lower", |_, args| cased(&args.one()?, char::is_uppercase)),
    ("lt", |_, args| ordered(args, "<")),
    ("mapping", |_, args| args.one().map(|v| matches!(py(&v), Py::Dict(_)))),
    ("ne", |_, args| two(args).map(|[a, b]| !ops::eq(&a, &b))),
    ("none", |_, args| args.one().map(|v| v.is_none())),
    ("number", |_, args| args.one().map(|v| matches!(py(&v), Py::Bool(_) | Py::Int(_) | Py::Float(_)))),
    ("odd", |_, args| remainder_of_two(&args.one()?, 1)),
    ("sameas", |_, args| two(args).map(|[a, b]| same(&a, &b))),
    ("sequence", |_, args| args.one().map(|v| is_sequence(&v))),
    ("string", |_, args| args.one().map(|v| matches!(py(&v), Py::Str(_)))),
    ("test", |_, args| args.one().map(|v| v.as_str().is_some_and(|name| TESTS.iter().any(|(known, _)| *known == name)))),
    ("true", |_, args| args.one().map(|v| matches!(py(&v), Py::Bool(true)))),
    ("undefined", |_, args| args.one().map(|v| v.is_undefined())),
    ("upper", |_, args| cased(&args.one()?, char::is_lowercase)),
];

fn two(args: Args) -> Result<[Value; 2]> {
    Ok(args.bind(["value", "other"], 2)?.map(Option::unwrap_or_default))
}

fn ordered(args: Args, op: &str) -> Result<bool> {
    two(args).and_then(|[a, b]| ops::less_or_greater(op, &a, &b))
}

fn remainder_of_two(value: &Value, wanted: i64) -> Result<bool> {
    Ok(ops::eq(&ops::rem(value, &Value::from(2))?, &Value::from(wanted)))
}

/// islower and isupper: some cased letter, and none of the other case.
fn cased(value: &Value, other: fn(char) -> bool) -> Result<bool> {
    let text = repr::to_str(value)?;
    Ok(text.chars().any(is_cased) && !text.chars().any(other))
}

fn is_callable(value: &Value) -> bool {
    let Py::Other(object) = py(value) else { return value.is_undefined() };
    let ours = object.downcast_ref::<BoundMethod>().is_some() || object.downcast_ref::<Joiner>().is_some();
    ours || is_native(object, "Macro") || is_native(object, "Loop") || type_name(value) == "function"
}

/// jinja2's undefined can be iterated, a namespace cannot.
fn is_iterable(value: &Value) -> bool {
    match py(value) {
        Py::Undefined | Py::Str(_) | Py::List(_) | Py::Tuple(_) | Py::Dict(_) => true,
        Py::Other(object) => {
            type_name(value) == "generator" || object.downcast_ref::<DictView>().is_some() || iterate(value).is_ok()
        }
        _ => false,
    }
}

/// Has a length and `__getitem__`: also strings and dicts.
fn is_sequence(value: &Value) -> bool {
    match py(value) {
        Py::Undefined | Py::Str(_) | Py::List(_) | Py::Tuple(_) | Py::Dict(_) => true,
        Py::Other(object) => object.downcast_ref::<DictView>().is_none() && length(value).is_ok(),
        _ => false,
    }
}

/// `a is b`, as far as values can tell: the same container, or equal scalars of the same type.
fn same(a: &Value, b: &Value) -> bool {
    match (py(a), py(b)) {
        (Py::List(x), Py::List(y)) | (Py::Tuple(x), Py::Tuple(y)) => std::ptr::eq(x, y),
        (Py::Dict(x), Py::Dict(y)) => std::ptr::eq(x, y),
        (Py::Other(_), _) | (_, Py::Other(_)) => false,
        _ => type_name(a) == type_name(b) && ops::eq(a, b),
    }
}
