//! The names every template sees: jinja2's (range, dict, namespace, cycler, joiner) and transformers' (raise_exception,
//! strftime_now).

use minijinja::functions::namespace as native_namespace;
use minijinja::value::{Rest, Value, ValueOrKwargs};
use minijinja::{Environment, State};

use crate::args::Args;
use crate::ffi::Clock;
use crate::methods;
use crate::objects::{Cycler, Joiner, Range};
use crate::repr;
use crate::value::{dict, error, iterate, py, require_hashable, require_index, undefined_error, Dict, Py, Result};

pub fn add(env: &mut Environment, clock: Clock) {
    env.add_function("range", range);
    env.add_function("namespace", |args: Rest<ValueOrKwargs>| namespace(args.into_values()));
    env.add_function("cycler", |items: Rest<Value>| Cycler::new(items.0).map(Value::from_object));
    env.add_function("joiner", |args: Rest<ValueOrKwargs>| -> Result<Value> {
        let [separator] = Args::new("joiner", args.into_values())?.bind(["sep"], 0)?;
        Ok(Value::from_object(Joiner::new(separator.unwrap_or_else(|| Value::from(", ")))))
    });
    env.add_function("raise_exception", |args: Rest<ValueOrKwargs>| -> Result<Value> {
        let [message] = Args::new("raise_exception", args.into_values())?.bind(["message"], 1)?;
        Err(error(repr::to_str(&message.unwrap_or_default())?))
    });
    env.add_function("strftime_now", move |args: Rest<ValueOrKwargs>| -> Result<Value> {
        let [format] = Args::new("strftime_now", args.into_values())?.bind(["format"], 1)?;
        let format = format.unwrap_or_default();
        clock.format(format.as_str().ok_or_else(|| error("strftime() argument 1 must be str"))?).map(Value::from)
    });
    env.add_global("dict", Value::from_object(DictType));
}

fn range(bounds: Rest<Value>) -> Result<Value> {
    let index = |value: &Value| if value.is_undefined() { Err(undefined_error(value)) } else { require_index(value) };
    let range = match bounds.0.as_slice() {
        [stop] => Range::new(0, index(stop)?, 1),
        [start, stop] => Range::new(index(start)?, index(stop)?, 1),
        [start, stop, step] => Range::new(index(start)?, index(stop)?, index(step)?),
        _ => Err(error(format!("range expected 1 to 3 arguments, got {}", bounds.0.len()))),
    };
    range.map(Value::from_object)
}

/// The entries `dict(...)` makes of a mapping or pairs, and of keywords.
fn dict_entries(name: &'static str, values: Vec<Value>) -> Result<Dict> {
    let (mut positional, keywords) = Args::new(name, values)?.into_parts();
    if positional.len() > 1 {
        return Err(error(format!("{name} expected at most 1 argument, got {}", positional.len())));
    }
    let mut entries = match positional.pop() {
        None => Dict::new(),
        Some(source) => match py(&source) {
            Py::Dict(entries) => entries.clone(),
            Py::Undefined => return Err(undefined_error(&source)),
            _ => iterate(&source)?.iter().map(pair).collect::<Result<_>>()?,
        },
    };
    entries.extend(keywords.into_iter().map(|(key, value)| (Value::from(key), value)));
    Ok(entries)
}

fn pair(item: &Value) -> Result<(Value, Value)> {
    let [key, value]: [Value; 2] = iterate(item)?
        .try_into()
        .map_err(|_| error("dictionary update sequence element has the wrong length; 2 is required"))?;
    require_hashable(&key)?;
    Ok((key, value))
}

/// transformers allows no name that starts with an underscore.
fn namespace(values: Vec<Value>) -> Result<Value> {
    let entries = dict_entries("namespace", values)?;
    for key in entries.keys() {
        private_name(key.as_str().unwrap_or_default())?;
    }
    native_namespace(Some(ValueOrKwargs::from(dict(entries))))
}

pub fn private_name(name: &str) -> Result<()> {
    if name.starts_with('_') {
        return Err(error(format!(
            "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '{name}'. Please rename the attribute."
        )));
    }
    Ok(())
}

/// The global `dict`: callable, and with `fromkeys`.
#[derive(Debug)]
struct DictType;

impl minijinja::value::Object for DictType {
    fn repr(self: &std::sync::Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn call(self: &std::sync::Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value> {
        dict_entries("dict", args.to_vec()).map(dict)
    }

    fn call_method(self: &std::sync::Arc<Self>, _state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value> {
        match method {
            "fromkeys" => methods::from_keys(Args::new("fromkeys", args.to_vec())?),
            _ => Err(error(format!("'dict' object has no attribute '{method}'"))),
        }
    }
}
