//! `str()` and `repr()` of Python, which is how templates print what is not a string.

use std::fmt::Write;

use minijinja::value::Value;

use crate::memory;
use crate::objects::{BoundMethod, DictView, Range};
use crate::value::{error, is_native, py, type_name, Py, Result};

/// Beyond this nesting Python gives up too (its own limit depends on the stack).
pub const MAX_DEPTH: usize = 400;

/// Appends `str(value)`.
pub fn write_str(out: &mut String, value: &Value) -> Result<()> {
    match value.as_str() {
        Some(s) if !matches!(py(value), Py::Other(_)) => push(out, s),
        _ if value.is_undefined() => Ok(()),
        _ => write_repr(out, value, 0),
    }
}

pub fn to_str(value: &Value) -> Result<String> {
    let mut out = String::new();
    write_str(&mut out, value)?;
    Ok(out)
}

pub fn to_repr(value: &Value) -> Result<String> {
    let mut out = String::new();
    write_repr(&mut out, value, 0)?;
    Ok(out)
}

/// Appends text, refusing outputs that only a hostile template makes.
pub fn push(out: &mut String, text: &str) -> Result<()> {
    memory::reserve(out.len() + text.len())?;
    out.push_str(text);
    Ok(())
}

pub fn write_repr(out: &mut String, value: &Value, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(error("maximum recursion depth exceeded while getting the repr of an object"));
    }
    match py(value) {
        Py::Undefined => push(out, "Undefined"),
        Py::None => push(out, "None"),
        Py::Bool(b) => push(out, if b { "True" } else { "False" }),
        Py::Int(n) => push(out, &n.to_string()),
        Py::Float(x) => push(out, &float_repr(x)),
        Py::Str(s) if value.is_safe() => {
            push(out, "Markup(")?;
            write_str_repr(out, s)?;
            push(out, ")")
        }
        Py::Str(s) => write_str_repr(out, s),
        Py::List(items) => write_items(out, "[", items, "]", depth),
        Py::Tuple([single]) => {
            push(out, "(")?;
            write_repr(out, single, depth + 1)?;
            push(out, ",)")
        }
        Py::Tuple(items) => write_items(out, "(", items, ")", depth),
        Py::Dict(dict) => write_pairs(out, dict.iter().map(|(k, v)| (k.clone(), v.clone())), depth),
        Py::Other(_) => write_object(out, value, depth),
        Py::Unknown => push(out, &value.to_string()),
    }
}

fn write_items(out: &mut String, open: &str, items: &[Value], close: &str, depth: usize) -> Result<()> {
    push(out, open)?;
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            push(out, ", ")?;
        }
        write_repr(out, item, depth + 1)?;
    }
    push(out, close)
}

fn write_pairs(out: &mut String, pairs: impl Iterator<Item = (Value, Value)>, depth: usize) -> Result<()> {
    push(out, "{")?;
    for (i, (key, value)) in pairs.enumerate() {
        if i > 0 {
            push(out, ", ")?;
        }
        write_repr(out, &key, depth + 1)?;
        push(out, ": ")?;
        write_repr(out, &value, depth + 1)?;
    }
    push(out, "}")
}

fn write_object(out: &mut String, value: &Value, depth: usize) -> Result<()> {
    if let Some(view) = value.downcast_object_ref::<DictView>() {
        write_items(out, &format!("{}([", view.kind.type_name()), &view.items(), "])", depth)
    } else if let Some(range) = value.downcast_object_ref::<Range>() {
        let Range { start, stop, step } = range;
        push(out, &if *step == 1 { format!("range({start}, {stop})") } else { format!("range({start}, {stop}, {step})") })
    } else if let Some(method) = value.downcast_object_ref::<BoundMethod>() {
        push(out, &format!("<built-in method {} of {} object>", method.name, type_name(&method.receiver)))
    } else if let Some(object) = value.as_object().filter(|object| is_native(object, "Namespace")) {
        push(out, "<Namespace ")?;
        write_pairs(out, object.try_iter_pairs().into_iter().flatten(), depth)?;
        push(out, ">")
    } else if value.as_object().is_some_and(|object| is_native(object, "Loop")) {
        push(out, &format!("<LoopContext {}/{}>", value.get_attr("index")?, value.get_attr("length")?))
    } else if let Some(items) = crate::value::list_items(value) {
        write_items(out, "[", &items, "]", depth)
    } else if type_name(value) == "generator" {
        push(out, "<generator object>")
    } else {
        push(out, &value.to_string())
    }
}

/// The quotes and escapes of Python's `repr(str)`.
fn write_str_repr(out: &mut String, s: &str) -> Result<()> {
    memory::reserve(out.len() + s.len() + 2)?;
    let quote = if s.contains('\'') && !s.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in s.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => push_escape(out, c),
        }
    }
    out.push(quote);
    Ok(())
}

/// `\xNN`, `\uNNNN` or `\UNNNNNNNN`, the shortest that fits.
fn push_escape(out: &mut String, c: char) {
    let code = c as u32;
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// `str.isprintable` of one character. The standard library keeps the same table for `escape_debug`; only the first character
/// of a string may be escaped for another reason (combining marks), so it is asked about the second.
pub fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    let mut text = String::from("a");
    text.push(c);
    text.escape_debug().nth(1) == Some(c)
}

/// `repr(float)`: the shortest digits that read back the same, with an exponent below 1e-4 and from 1e16 on.
pub fn float_repr(x: f64) -> String {
    if x.is_nan() {
        return "nan".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{x:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) && x != 0.0 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{x}");
    if plain.contains('.') {
        plain
    } else {
        plain + ".0"
    }
}
