//! Python's view of minijinja's values: what kind a value is, what its type is called, how it is iterated and hashed.

use std::borrow::Cow;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::value::{DynObject, Tuple, Value, ValueKind};
use minijinja::{Error, ErrorKind};

use crate::aggregates::Group;
use crate::memory;
use crate::objects::{BoundMethod, DictView, Generator, Range};

pub type Dict = IndexMap<Value, Value>;
pub type Result<T> = std::result::Result<T, Error>;

/// A value as Python would see it. Integers beyond i128 are `Other`: no template counts that far.
pub enum Py<'a> {
    Undefined,
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(&'a str),
    List(&'a [Value]),
    Tuple(&'a [Value]),
    Dict(&'a Dict),
    Other(&'a DynObject),
    Unknown,
}

pub fn py(value: &Value) -> Py<'_> {
    match value.kind() {
        ValueKind::Undefined => Py::Undefined,
        ValueKind::None => Py::None,
        ValueKind::Bool => Py::Bool(value.is_true()),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).map_or(Py::Unknown, Py::Int),
        ValueKind::Number => f64::try_from(value.clone()).map_or(Py::Unknown, Py::Float),
        ValueKind::String => value.as_str().map_or(Py::Unknown, Py::Str),
        _ => match value.as_object() {
            Some(object) => {
                if let Some(list) = object.downcast_ref::<Vec<Value>>() {
                    Py::List(list)
                } else if let Some(dict) = object.downcast_ref::<Dict>() {
                    Py::Dict(dict)
                } else if let Some(tuple) = object.downcast_ref::<Tuple>() {
                    Py::Tuple(tuple)
                } else if let Some(group) = object.downcast_ref::<Group>() {
                    Py::Tuple(&group.pair)
                } else {
                    Py::Other(object)
                }
            }
            None => Py::Unknown,
        },
    }
}

pub fn error<D: Into<Cow<'static, str>>>(message: D) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// The error of using an undefined value; minijinja adds which expression it came from.
pub fn undefined_error(value: &Value) -> Error {
    value.get_attr("").err().unwrap_or_else(|| Error::from(ErrorKind::UndefinedError))
}

/// Python's name of the type, for messages.
pub fn type_name(value: &Value) -> &'static str {
    match py(value) {
        Py::Undefined => "Undefined",
        Py::None => "NoneType",
        Py::Bool(_) => "bool",
        Py::Int(_) => "int",
        Py::Float(_) => "float",
        Py::Str(_) if value.is_safe() => "Markup",
        Py::Str(_) => "str",
        Py::List(_) => "list",
        Py::Tuple(_) => "tuple",
        Py::Dict(_) => "dict",
        Py::Other(object) => object_type_name(object),
        Py::Unknown => "object",
    }
}

fn object_type_name(object: &DynObject) -> &'static str {
    if let Some(view) = object.downcast_ref::<DictView>() {
        return view.kind.type_name();
    }
    if object.downcast_ref::<Generator>().is_some() {
        return "generator";
    }
    if object.downcast_ref::<Range>().is_some() {
        return "range";
    }
    if object.downcast_ref::<BoundMethod>().is_some() {
        return "builtin_function_or_method";
    }
    match object.type_name().rsplit("::").next() {
        Some("Namespace") => "Namespace",
        Some("Macro") => "Macro",
        Some("Loop") => "LoopContext",
        Some(name) if name.starts_with("MergeSeq") || name.starts_with("Iterable") => "list",
        _ => "function",
    }
}

/// Whether this is one of minijinja's own objects of the given name; their types are private.
pub fn is_native(object: &DynObject, name: &str) -> bool {
    object.type_name().rsplit("::").next() == Some(name)
}

pub fn int_value(n: i128) -> Value {
    match i64::try_from(n) {
        Ok(small) => Value::from(small),
        Err(_) => Value::from(n),
    }
}

/// `operator.index`: integers and booleans, nothing else.
pub fn as_index(value: &Value) -> Option<i128> {
    match py(value) {
        Py::Bool(b) => Some(b as i128),
        Py::Int(n) => Some(n),
        _ => None,
    }
}

pub fn require_index(value: &Value) -> Result<i128> {
    as_index(value).ok_or_else(|| error(format!("'{}' object cannot be interpreted as an integer", type_name(value))))
}

/// An integer clamped into i64, for counts and positions where anything larger means the same.
pub fn require_i64(value: &Value) -> Result<i64> {
    Ok(require_index(value)?.clamp(i64::MIN as i128, i64::MAX as i128) as i64)
}

pub fn as_float(value: &Value) -> Option<f64> {
    match py(value) {
        Py::Bool(b) => Some(b as i64 as f64),
        Py::Int(n) => Some(n as f64),
        Py::Float(x) => Some(x),
        _ => None,
    }
}

/// The items of a list (also of the lazy ones that minijinja's constant folding leaves), nothing for other kinds.
pub fn list_items(value: &Value) -> Option<Cow<'_, [Value]>> {
    match py(value) {
        Py::List(items) => Some(Cow::Borrowed(items)),
        Py::Other(object) if object_type_name(object) == "list" => Some(Cow::Owned(object.try_iter()?.collect())),
        _ => None,
    }
}

/// `list(value)`: everything Python can iterate.
pub fn iterate(value: &Value) -> Result<Vec<Value>> {
    match py(value) {
        Py::Undefined => Ok(Vec::new()),
        Py::Str(s) => {
            memory::reserve_items(s.len(), size_of::<Value>())?;
            Ok(s.chars().map(Value::from).collect())
        }
        Py::List(items) | Py::Tuple(items) => Ok(items.to_vec()),
        Py::Dict(dict) => Ok(dict.keys().cloned().collect()),
        Py::Other(object) if is_walkable(object) => {
            object.try_iter().map(|items| items.collect()).ok_or_else(|| not_iterable(value))
        }
        _ => Err(not_iterable(value)),
    }
}

/// minijinja can iterate its namespaces and macros, Python cannot.
pub fn is_walkable(object: &DynObject) -> bool {
    !is_native(object, "Namespace") && !is_native(object, "Macro")
}

pub fn not_iterable(value: &Value) -> Error {
    error(format!("'{}' object is not iterable", type_name(value)))
}

/// `len(value)`, in characters for strings.
pub fn length(value: &Value) -> Result<usize> {
    match py(value) {
        Py::Undefined => Some(0),
        Py::Str(s) => Some(s.chars().count()),
        Py::List(items) | Py::Tuple(items) => Some(items.len()),
        Py::Dict(dict) => Some(dict.len()),
        Py::Other(object) => match object_type_name(object) {
            "generator" | "Namespace" | "Macro" | "function" => None,
            _ => object.enumerator_len(),
        },
        _ => None,
    }
    .ok_or_else(|| error(format!("object of type '{}' has no len()", type_name(value))))
}

/// Fails for what Python cannot hash; such values are no dict keys and no set members.
pub fn require_hashable(value: &Value) -> Result<()> {
    match py(value) {
        Py::List(_) | Py::Dict(_) => Err(error(format!("unhashable type: '{}'", type_name(value)))),
        Py::Tuple(items) => items.iter().try_for_each(require_hashable),
        _ => Ok(()),
    }
}

pub fn list(items: Vec<Value>) -> Value {
    Value::from_object(items)
}

pub fn tuple(items: Vec<Value>) -> Value {
    Value::from(Tuple::new(items))
}

pub fn dict(entries: Dict) -> Value {
    Value::from_object(entries)
}

/// A lazy sequence as jinja2's filters return them: always true, without a length, and used up by the first reader.
pub fn generator(items: Vec<Value>) -> Value {
    Value::from_dyn_object(Arc::new(Generator::new(items)))
}

/// `text` marked safe when `like` is: the methods of Markup return Markup.
pub fn text_like(like: &Value, text: String) -> Value {
    if like.is_safe() {
        Value::from_safe_string(text)
    } else {
        Value::from(text)
    }
}
