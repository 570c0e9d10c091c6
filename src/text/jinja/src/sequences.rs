//! Filters that walk a sequence. What jinja2 returns as a generator is one here too: always true, no length, read once.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use minijinja::value::Value;
use minijinja::State;

use crate::access;
use crate::args::{int, is_given, join as join_args, Args};
use crate::filters;
use crate::memory;
use crate::objects::{DictView, Generator, ViewKind};
use crate::predicates;
use crate::repr;
use crate::value::{error, generator, iterate, length, list, py, require_index, text_like, type_name, Py, Result};

pub fn first(value: &Value) -> Result<Value> {
    match (py(value), value.downcast_object_ref::<Generator>()) {
        (Py::Str(s), _) => Ok(s.chars().next().map(Value::from).unwrap_or_default()),
        (_, Some(generator)) => Ok(generator.next().unwrap_or_default()),
        _ => Ok(iterate(value)?.into_iter().next().unwrap_or_default()),
    }
}

pub fn last(value: &Value) -> Result<Value> {
    let items = access::reversed(value).ok_or_else(|| error(format!("'{}' object is not reversible", type_name(value))))?;
    Ok(items.into_iter().next().unwrap_or_default())
}

/// Any item; the only filter whose result nobody can tell.
pub fn random(value: &Value) -> Result<Value> {
    if value.as_object().is_some_and(|object| object.downcast_ref::<DictView>().is_some()) {
        return Err(error(format!("'{}' object is not subscriptable", type_name(value))));
    }
    let n_items = length(value)?;
    if n_items == 0 {
        return Ok(Value::UNDEFINED);
    }
    // The standard library seeds its hashers from the system's random numbers.
    let seed = RandomState::new().build_hasher().finish();
    let found = access::item(value, &Value::from(seed % n_items as u64))?;
    if found.is_undefined() {
        return Err(error(format!("'{}' object has no item to choose by position", type_name(value))));
    }
    Ok(found)
}

pub fn reverse(value: &Value) -> Result<Value> {
    if let Py::Str(s) = py(value) {
        return Ok(text_like(value, s.chars().rev().collect()));
    }
    if let Some(items) = access::reversed(value) {
        return Ok(generator(items));
    }
    let mut items = iterate(value).map_err(|_| error("argument must be iterable"))?;
    items.reverse();
    Ok(list(items))
}

/// The pairs of a mapping; an undefined one has none.
pub fn items(value: &Value) -> Result<Value> {
    match py(value) {
        Py::Undefined => Ok(generator(Vec::new())),
        Py::Dict(_) => Ok(generator(DictView::new(ViewKind::Items, value.clone()).items())),
        _ => Err(error("Can only get item pairs from a mapping.")),
    }
}

pub fn join(args: Args) -> Result<Value> {
    let [value, separator, attribute] = args.bind(["value", "d", "attribute"], 1)?;
    let separator = separator.map_or(Ok(String::new()), |d| repr::to_str(&d))?;
    let mut out = String::new();
    for (i, item) in iterate(&value.unwrap_or_default())?.iter().enumerate() {
        if i > 0 {
            repr::push(&mut out, &separator)?;
        }
        match attribute.as_ref().filter(|a| !a.is_none()) {
            Some(path) => repr::write_str(&mut out, &access::by_path(item, path, None)?)?,
            None => repr::write_str(&mut out, item)?,
        }
    }
    Ok(Value::from(out))
}

/// `map(attribute=..., default=...)` or `map("filter", ...)`.
pub fn map(state: &mut State, mut args: Args) -> Result<Value> {
    let value = args.take_first()?;
    let (positional, mut keywords) = args.into_parts();
    if !value.is_true() {
        return Ok(generator(Vec::new()));
    }
    let items = iterate(&value)?;
    let mut take = |name: &str| keywords.iter().position(|(key, _)| key == name).map(|at| keywords.remove(at).1);
    if let Some(path) = positional.is_empty().then(|| take("attribute")).flatten() {
        let default = take("default");
        if let Some((key, _)) = keywords.first() {
            return Err(error(format!("Unexpected keyword argument '{key}'")));
        }
        return items.iter().map(|item| access::by_path(item, &path, default.as_ref())).collect::<Result<_>>().map(generator);
    }
    let Some((name, rest)) = positional.split_first() else {
        return Err(error("map requires a filter argument"));
    };
    let (name, filter) = named(name, "filter", |name| filters::FILTERS.iter().find(|(known, _)| *known == name).copied())?;
    let call = |item: Value| filter(state, Args::new(name, with_subject(item, rest, &keywords))?);
    items.into_iter().map(call).collect::<Result<_>>().map(generator)
}

/// The entry of a table by the name a template gave.
fn named<T>(name: &Value, what: &str, find: impl Fn(&str) -> Option<T>) -> Result<T> {
    name.as_str().and_then(find).ok_or_else(|| error(format!("No {what} named {}.", repr::to_repr(name).unwrap_or_default())))
}

fn with_subject(item: Value, rest: &[Value], keywords: &[(String, Value)]) -> Vec<Value> {
    let mut values = Vec::with_capacity(rest.len() + 2);
    values.push(item);
    values.extend_from_slice(rest);
    join_args(values, keywords.to_vec())
}

/// select, reject, selectattr, rejectattr: by a test, or by truth.
pub fn select(state: &mut State, mut args: Args, by_attribute: bool, keep: bool) -> Result<Value> {
    let value = args.take_first()?;
    let (mut positional, keywords) = args.into_parts();
    if !value.is_true() {
        return Ok(generator(Vec::new()));
    }
    let items = iterate(&value)?;
    let path = match (by_attribute, positional.is_empty()) {
        (true, true) => return Err(error("Missing parameter for attribute name")),
        (true, false) => positional.remove(0),
        (false, _) => Value::from(()),
    };
    let test = match positional.first() {
        Some(name) => Some(named(name, "test", |name| predicates::TESTS.iter().find(|(known, _)| *known == name).copied())?),
        None => None,
    };
    let mut kept = Vec::new();
    for item in items {
        let subject = access::by_path(&item, &path, None)?;
        let holds = match test {
            Some((name, test)) => test(state, Args::new(name, with_subject(subject, &positional[1..], &keywords))?)?,
            None => subject.is_true(),
        };
        if holds == keep {
            kept.push(item);
        }
    }
    Ok(generator(kept))
}

/// `slices` columns of nearly equal length.
pub fn slice(args: Args) -> Result<Value> {
    let [value, slices, fill] = args.bind(["value", "slices", "fill_with"], 2)?;
    let items = iterate(&value.unwrap_or_default())?;
    let slices = require_index(&slices.unwrap_or_default())?;
    if slices == 0 {
        return Err(error("integer division or modulo by zero"));
    }
    let slices = slices.clamp(0, u32::MAX as i128) as usize;
    memory::reserve_items(slices, 2 * size_of::<Value>())?;
    let (per_slice, with_extra) = (items.len() / slices.max(1), items.len() % slices.max(1));
    let mut columns = Vec::with_capacity(slices);
    let mut start = 0;
    for number in 0..slices {
        let end = start + per_slice + (number < with_extra) as usize;
        let mut column = items[start..end].to_vec();
        if let Some(fill) = fill.as_ref().filter(|f| !f.is_none() && number >= with_extra) {
            column.push(fill.clone());
        }
        columns.push(list(column));
        start = end;
    }
    Ok(generator(columns))
}

/// Rows of `linecount` items.
pub fn batch(args: Args) -> Result<Value> {
    let [value, line_count, fill] = args.bind(["value", "linecount", "fill_with"], 2)?;
    let items = iterate(&value.unwrap_or_default())?;
    let width = int(&line_count, 0)?;
    // A row never reaches a length below one: everything lands in one row, after an empty one for zero.
    let mut rows: Vec<Vec<Value>> = match usize::try_from(width) {
        _ if items.is_empty() => Vec::new(),
        Ok(0) => vec![Vec::new(), items],
        Err(_) => vec![items],
        Ok(width) => items.chunks(width).map(<[Value]>::to_vec).collect(),
    };
    if let (true, Some(row), Ok(width)) = (is_given(&fill), rows.last_mut(), usize::try_from(width)) {
        memory::reserve_items(width, size_of::<Value>())?;
        row.resize(width.max(row.len()), fill.unwrap_or_default());
    }
    Ok(generator(rows.into_iter().map(list).collect()))
}
