//! `str.translate` and `str.maketrans`.

use minijinja::value::Value;

use crate::access;
use crate::args::{require_str, Args};
use crate::repr;
use crate::value::{as_index, dict, error, int_value, py, type_name, Dict, Py, Result};

/// Each character replaced by what the table has under its code: a code, a string, or None for nothing at all.
pub fn translate(s: &str, table: &Value) -> Result<String> {
    let mut out = String::with_capacity(s.len());
    for c in s.chars() {
        let found = access::item(table, &int_value(c as i128))?;
        match (py(&found), as_index(&found)) {
            (Py::Undefined, _) => out.push(c),
            (Py::None, _) => {}
            (Py::Str(text), _) => repr::push(&mut out, text)?,
            (_, Some(code)) => out.push(character(code)?),
            _ => return Err(error("character mapping must return integer, None or str")),
        }
    }
    Ok(out)
}

fn character(code: i128) -> Result<char> {
    let c = u32::try_from(code).ok().and_then(char::from_u32);
    c.ok_or_else(|| error("character mapping must be in range(0x110000)"))
}

/// A table of a dict, or of characters, their replacements, and characters to drop.
pub fn make_table(args: Args) -> Result<Value> {
    let mut table = Dict::new();
    let arguments = args.positional()?;
    match arguments.as_slice() {
        [single] => {
            let Py::Dict(entries) = py(single) else {
                return Err(error("if you give only one argument to maketrans it must be a dict"));
            };
            for (key, value) in entries {
                table.insert(code_of(key)?, value.clone());
            }
        }
        [from, to, dropped @ ..] if dropped.len() <= 1 => {
            let (from, to) = (require_str(from)?, require_str(to)?);
            if from.chars().count() != to.chars().count() {
                return Err(error("the first two maketrans arguments must have equal length"));
            }
            table.extend(from.chars().zip(to.chars()).map(|(a, b)| (int_value(a as i128), int_value(b as i128))));
            for c in dropped.iter().map(require_str).collect::<Result<Vec<_>>>()?.concat().chars() {
                table.insert(int_value(c as i128), Value::from(()));
            }
        }
        _ => return Err(error("maketrans expected 1 to 3 arguments")),
    }
    Ok(dict(table))
}

fn code_of(key: &Value) -> Result<Value> {
    let mut chars = key.as_str().unwrap_or_default().chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(int_value(c as i128)),
        _ if as_index(key).is_some() => Ok(key.clone()),
        _ => Err(error(format!("keys in translate table must be characters or integers, not '{}'", type_name(key)))),
    }
}
