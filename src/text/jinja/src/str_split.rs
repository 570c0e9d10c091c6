//! The methods of `str` that take text apart and put it together: split, rsplit, partition, rpartition, join.

use minijinja::value::Value;

use crate::args::{int, require_str, Args};
use crate::memory;
use crate::repr;
use crate::text::{is_space, strip, Side};
use crate::value::{error, iterate, list, text_like, tuple, type_name, Result};

pub fn split(receiver: &Value, s: &str, from_left: bool, args: Args) -> Result<Value> {
    let [separator, most] = args.bind(["sep", "maxsplit"], 0)?;
    let most = usize::try_from(int(&most, -1)?).unwrap_or(usize::MAX);
    let parts: Vec<&str> = match separator.filter(|v| !v.is_none()) {
        None => split_blanks(s, from_left, most),
        Some(separator) => {
            let separator = require_str(&separator)?;
            if separator.is_empty() {
                return Err(error("empty separator"));
            }
            memory::reserve_items(s.matches(separator).take(most).count(), size_of::<Value>())?;
            if from_left {
                s.splitn(most.saturating_add(1), separator).collect()
            } else {
                let mut parts: Vec<&str> = s.rsplitn(most.saturating_add(1), separator).collect();
                parts.reverse();
                parts
            }
        }
    };
    Ok(list(parts.into_iter().map(|part| text_like(receiver, part.to_string())).collect()))
}

/// Split at runs of blanks, at most `most` times; no empty parts.
fn split_blanks(s: &str, from_left: bool, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = strip(s, None, if from_left { Side::Left } else { Side::Right });
    while !rest.is_empty() {
        let cut = match (parts.len() < most, from_left) {
            (false, _) => None,
            (true, true) => rest.find(is_space),
            (true, false) => rest.rfind(is_space).map(|at| at + rest[at..].chars().next().map_or(0, char::len_utf8)),
        };
        let Some(at) = cut else {
            parts.push(rest);
            break;
        };
        let (head, tail) = rest.split_at(at);
        let (part, left) =
            if from_left { (head, strip(tail, None, Side::Left)) } else { (tail, strip(head, None, Side::Right)) };
        parts.push(part);
        rest = left;
    }
    if !from_left {
        parts.reverse();
    }
    parts
}

pub fn partition(s: &str, first: bool, separator: &Value) -> Result<Value> {
    let separator = require_str(separator)?;
    if separator.is_empty() {
        return Err(error("empty separator"));
    }
    let found = if first { s.split_once(separator) } else { s.rsplit_once(separator) };
    let parts = match found {
        Some((head, tail)) => [head, separator, tail],
        None if first => [s, "", ""],
        None => ["", "", s],
    };
    Ok(tuple(parts.into_iter().map(Value::from).collect()))
}

pub fn join(receiver: &Value, separator: &str, items: &Value) -> Result<Value> {
    let mut out = String::new();
    for (i, item) in iterate(items)?.iter().enumerate() {
        let text = item
            .as_str()
            .ok_or_else(|| error(format!("sequence item {i}: expected str instance, {} found", type_name(item))))?;
        if i > 0 {
            repr::push(&mut out, separator)?;
        }
        repr::push(&mut out, text)?;
    }
    Ok(text_like(receiver, out))
}
