//! `a.b`, `a[b]`, `a[b:c:d]`, and what `for` and tuple assignment may walk over.

use minijinja::value::Value;

use crate::methods;
use crate::objects::{BoundMethod, Generator, Range};
use crate::value::{
    as_index, error, is_walkable, iterate, list, list_items, not_iterable, py, require_hashable, tuple, type_name,
    undefined_error, Dict, Py, Result,
};

/// `object.name` where `name` is a method of some Python type. As in Python the method wins over a dict's key of that name.
pub fn attribute(object: &Value, name: &str) -> Result<Value> {
    if object.is_undefined() {
        return Err(undefined_error(object));
    }
    match methods::find(object, name) {
        // What would change its object is hidden by the sandbox: it looks undefined.
        Some(methods::Found::Unsafe) => Ok(Value::UNDEFINED),
        Some(methods::Found::Method(name)) => Ok(Value::from_object(BoundMethod { receiver: object.clone(), name })),
        None => object.get_attr(name),
    }
}

/// `object[key]`; a missing key or a key of the wrong type is undefined, a string may also name an attribute.
pub fn item(object: &Value, key: &Value) -> Result<Value> {
    let found = match py(object) {
        Py::Undefined => return Err(undefined_error(object)),
        Py::Dict(dict) => dict_item(dict, key),
        Py::List(items) | Py::Tuple(items) => position(items.len(), key).map(|i| items[i].clone()),
        Py::Str(s) => position(s.chars().count(), key).and_then(|i| s.chars().nth(i)).map(Value::from),
        Py::Other(object) => match object.downcast_ref::<Range>() {
            Some(range) => position(range.len(), key).map(|i| range.at(i)),
            None => object_item(object, key),
        },
        _ => None,
    };
    match (found, key.as_str()) {
        (Some(value), _) => Ok(value),
        (None, Some(name)) => attribute(object, name),
        (None, None) => Ok(Value::UNDEFINED),
    }
}

fn dict_item(dict: &Dict, key: &Value) -> Option<Value> {
    require_hashable(key).ok()?;
    dict.get(key).cloned()
}

/// Lazy lists can be indexed, attributes of minijinja's own objects are named by strings; views and generators have neither.
fn object_item(object: &minijinja::value::DynObject, key: &Value) -> Option<Value> {
    if key.as_str().is_some() {
        return object.get_value(key);
    }
    let items = list_items(&Value::from_dyn_object(object.clone()))?.into_owned();
    position(items.len(), key).map(|i| items[i].clone())
}

/// Index `key` into a sequence of `len` items, counting from the end when negative.
fn position(len: usize, key: &Value) -> Option<usize> {
    let index = as_index(key)?;
    let index = if index < 0 { index + len as i128 } else { index };
    usize::try_from(index).ok().filter(|i| *i < len)
}

/// `object[start:stop:step]`. Unlike `object[key]` this is Python's own subscript, which raises for what cannot be sliced.
pub fn slice(object: &Value, start: &Value, stop: &Value, step: &Value) -> Result<Value> {
    if object.is_undefined() {
        return Err(undefined_error(object));
    }
    let mut bounds = [None; 3];
    for (bound, value) in bounds.iter_mut().zip([start, stop, step]) {
        if !value.is_none() {
            let not_an_index = || error("slice indices must be integers or None or have an __index__ method");
            *bound = Some(as_index(value).ok_or_else(not_an_index)?);
        }
    }
    let indices = |len: usize| slice_indices(len as i128, bounds);
    match py(object) {
        Py::Str(s) => slice_str(object, s, bounds),
        Py::Tuple(items) => Ok(tuple(indices(items.len())?.map(|i| items[i].clone()).collect())),
        _ => match (list_items(object), object.downcast_object_ref::<Range>()) {
            (Some(items), _) => Ok(list(indices(items.len())?.map(|i| items[i].clone()).collect())),
            (None, Some(range)) => slice_range(range, bounds),
            (None, None) if matches!(py(object), Py::Dict(_)) => Err(error("unhashable type: 'slice'")),
            (None, None) => Err(error(format!("'{}' object is not subscriptable", type_name(object)))),
        },
    }
}

fn slice_str(object: &Value, s: &str, bounds: [Option<i128>; 3]) -> Result<Value> {
    let text: String = if s.is_ascii() {
        slice_indices(s.len() as i128, bounds)?.map(|i| s.as_bytes()[i] as char).collect()
    } else {
        let chars: Vec<char> = s.chars().collect();
        slice_indices(chars.len() as i128, bounds)?.map(|i| chars[i]).collect()
    };
    Ok(crate::value::text_like(object, text))
}

/// A slice of a range is a range.
fn slice_range(range: &Range, bounds: [Option<i128>; 3]) -> Result<Value> {
    let (first, last, step) = slice_bounds(range.len() as i128, bounds)?;
    let at = |index: i128| range.start + range.step * index;
    Range::new(at(first), at(last), range.step * step).map(Value::from_object)
}

/// The positions Python's `slice.indices(len)` walks.
fn slice_indices(len: i128, bounds: [Option<i128>; 3]) -> Result<impl Iterator<Item = usize>> {
    let (first, last, step) = slice_bounds(len, bounds)?;
    let distance = if step > 0 { last - first } else { first - last };
    let stride = step.unsigned_abs().min(len.unsigned_abs() + 1) as i128;
    let count = if distance > 0 { (distance + stride - 1) / stride } else { 0 };
    Ok((0..count).map(move |k| (first + k * step.signum() * stride) as usize))
}

/// First position, the one not reached any more, and the step (within what a sequence in memory can have).
fn slice_bounds(len: i128, [start, stop, step]: [Option<i128>; 3]) -> Result<(i128, i128, i128)> {
    let step = step.unwrap_or(1).clamp(-(1 << 62), 1 << 62);
    if step == 0 {
        return Err(error("slice step cannot be zero"));
    }
    let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |n: i128| (if n < 0 { n.saturating_add(len) } else { n }).clamp(lowest, highest);
    let first = start.map_or(if step > 0 { lowest } else { highest }, clamp);
    let last = stop.map_or(if step > 0 { highest } else { lowest }, clamp);
    Ok((first, last, step))
}

/// What a `for` loop walks over: None and numbers raise as in Python instead of counting as empty, and strings become lists, so
/// that the loop knows its length.
pub fn for_loop(iterable: &Value) -> Result<Value> {
    match py(iterable) {
        Py::Str(_) | Py::None | Py::Bool(_) | Py::Int(_) | Py::Float(_) | Py::Unknown => iterate(iterable).map(list),
        Py::Other(object) if !is_walkable(object) => Err(not_iterable(iterable)),
        _ => Ok(iterable.clone()),
    }
}

/// What tuple assignment takes apart.
pub fn unpack(value: &Value) -> Result<Value> {
    match py(value) {
        Py::List(_) | Py::Tuple(_) => Ok(value.clone()),
        Py::None | Py::Bool(_) | Py::Int(_) | Py::Float(_) => {
            Err(error(format!("cannot unpack non-iterable {} object", type_name(value))))
        }
        _ => iterate(value).map(list),
    }
}

/// `reversed(value)`, or nothing for what cannot be walked backwards.
pub fn reversed(value: &Value) -> Option<Vec<Value>> {
    if value.downcast_object_ref::<Generator>().is_some() {
        return None;
    }
    let mut items = iterate(value).ok()?;
    items.reverse();
    Some(items)
}

/// `item.a.b.0` as filters take it: a dotted path of attribute names and positions, or one integer.
pub fn by_path(item_value: &Value, path: &Value, default: Option<&Value>) -> Result<Value> {
    let mut current = item_value.clone();
    let mut step = |key: &Value| -> Result<()> {
        current = item(&current, key)?;
        if let Some(default) = default.filter(|d| !d.is_none() && current.is_undefined()) {
            current = default.clone();
        }
        Ok(())
    };
    match path.as_str() {
        Some(names) => {
            for name in names.split('.') {
                let digits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
                match name.parse::<i64>() {
                    Ok(index) if digits => step(&Value::from(index))?,
                    _ => step(&Value::from(name))?,
                }
            }
        }
        None if path.is_none() => {}
        None => step(path)?,
    }
    Ok(current)
}
