//! Methods of Python's built-in types: which there are, and their calls. What would change a list or dict does not exist here:
//! the environment is immutable, as in jinja2's ImmutableSandboxedEnvironment.

use minijinja::value::Value;
use minijinja::{Error, ErrorKind, State};

use crate::args::Args;
use crate::objects::{DictView, ViewKind};
use crate::ops;
use crate::str_methods;
use crate::value::{
    dict, error, iterate, list, list_items, py, require_hashable, require_i64, type_name, undefined_error, Dict, Py, Result,
};

const LIST: &[&str] = &["copy", "count", "index"];
const LIST_UNSAFE: &[&str] = &["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];
const TUPLE: &[&str] = &["count", "index"];
const DICT: &[&str] = &["copy", "fromkeys", "get", "items", "keys", "values"];
const DICT_UNSAFE: &[&str] = &["clear", "pop", "popitem", "setdefault", "update"];
const INT: &[&str] = &["bit_count", "bit_length", "conjugate"];
const FLOAT: &[&str] = &["conjugate", "is_integer"];

pub enum Found {
    Method(&'static str),
    /// Exists, but the sandbox hides it.
    Unsafe,
}

/// Every name that `find` may answer for; other attributes need no look at the types.
pub fn all_names() -> impl Iterator<Item = &'static str> {
    [str_methods::NAMES, LIST, LIST_UNSAFE, TUPLE, DICT, DICT_UNSAFE, INT, FLOAT].into_iter().flatten().copied()
}

fn tables(receiver: &Value) -> (&'static [&'static str], &'static [&'static str]) {
    match py(receiver) {
        Py::Str(_) => (str_methods::NAMES, &[]),
        Py::Tuple(_) => (TUPLE, &[]),
        Py::Dict(_) => (DICT, DICT_UNSAFE),
        Py::Bool(_) | Py::Int(_) => (INT, &[]),
        Py::Float(_) => (FLOAT, &[]),
        _ if list_items(receiver).is_some() => (LIST, LIST_UNSAFE),
        _ => (&[], &[]),
    }
}

/// The method `name` of the receiver's type.
pub fn find(receiver: &Value, name: &str) -> Option<Found> {
    let (methods, hidden) = tables(receiver);
    match methods.iter().find(|m| **m == name) {
        Some(method) => Some(Found::Method(method)),
        None => hidden.contains(&name).then_some(Found::Unsafe),
    }
}

/// `receiver.name(args)`. The error of kind UnknownMethod makes minijinja look for a callable item of that name instead.
pub fn call(_state: &mut State, receiver: &Value, name: &str, args: &[Value]) -> Result<Value> {
    let method = match find(receiver, name) {
        Some(Found::Method(method)) => method,
        Some(Found::Unsafe) => {
            return Err(error(format!("access to attribute '{name}' of '{}' object is unsafe.", type_name(receiver))))
        }
        None if receiver.is_undefined() => return Err(undefined_error(receiver)),
        None => {
            let message = format!("'{} object' has no attribute '{name}'", type_name(receiver));
            return Err(Error::new(ErrorKind::UnknownMethod, message));
        }
    };
    let args = Args::new(method, args.to_vec())?;
    match py(receiver) {
        Py::Str(text) => str_methods::call(receiver, text, method, args),
        Py::Dict(entries) => call_dict(receiver, entries, method, args),
        Py::Tuple(items) => call_sequence(items, method, args),
        Py::Bool(b) => call_int(b as i128, method, args),
        Py::Int(n) => call_int(n, method, args),
        Py::Float(x) => {
            args.bind([], 0)?;
            Ok(if method == "is_integer" { Value::from(x.is_finite() && x.fract() == 0.0) } else { Value::from(x) })
        }
        _ => match list_items(receiver) {
            Some(items) => call_sequence(&items, method, args),
            None => Err(error(format!("'{} object' has no attribute '{name}'", type_name(receiver)))),
        },
    }
}

fn call_dict(receiver: &Value, entries: &Dict, method: &str, args: Args) -> Result<Value> {
    let kind = match method {
        "get" => {
            // Python's dict.get takes no keywords.
            let mut given = args.positional()?;
            if given.is_empty() || given.len() > 2 {
                return Err(error(format!("get expected 1 or 2 arguments, got {}", given.len())));
            }
            require_hashable(&given[0])?;
            let default = if given.len() == 2 { given.pop() } else { None };
            return Ok(entries.get(&given[0]).cloned().or(default).unwrap_or(Value::from(())));
        }
        "fromkeys" => return from_keys(args),
        "keys" => ViewKind::Keys,
        "values" => ViewKind::Values,
        "items" => ViewKind::Items,
        _ => {
            args.bind([], 0)?;
            return Ok(dict(entries.clone()));
        }
    };
    args.bind([], 0)?;
    Ok(Value::from_object(DictView::new(kind, receiver.clone())))
}

/// `dict.fromkeys(keys, value)`
pub fn from_keys(args: Args) -> Result<Value> {
    let [keys, value] = args.bind(["iterable", "value"], 1)?;
    let value = value.unwrap_or(Value::from(()));
    let mut entries = Dict::new();
    for key in iterate(&keys.unwrap_or_default())? {
        require_hashable(&key)?;
        entries.insert(key, value.clone());
    }
    Ok(dict(entries))
}

fn call_sequence(items: &[Value], method: &str, args: Args) -> Result<Value> {
    match method {
        "copy" => {
            args.bind([], 0)?;
            Ok(list(items.to_vec()))
        }
        "count" => {
            let wanted = args.one()?;
            Ok(Value::from(items.iter().filter(|item| ops::eq(item, &wanted)).count()))
        }
        _ => {
            let [wanted, start, stop] = args.bind(["value", "start", "stop"], 1)?;
            let (wanted, len) = (wanted.unwrap_or_default(), items.len() as i64);
            let bound = |value: Option<Value>, default| match value {
                Some(value) => require_i64(&value).map(|n| (if n < 0 { n + len } else { n }).clamp(0, len)),
                None => Ok(default),
            };
            let (start, stop) = (bound(start, 0)? as usize, bound(stop, len)? as usize);
            (start..stop)
                .find(|i| ops::eq(&items[*i], &wanted))
                .map(Value::from)
                .ok_or_else(|| error(format!("{} is not in list", crate::repr::to_repr(&wanted).unwrap_or_default())))
        }
    }
}

fn call_int(n: i128, method: &str, args: Args) -> Result<Value> {
    args.bind([], 0)?;
    Ok(match method {
        "bit_count" => Value::from(n.unsigned_abs().count_ones()),
        "bit_length" => Value::from(128 - n.unsigned_abs().leading_zeros()),
        _ => crate::value::int_value(n),
    })
}
