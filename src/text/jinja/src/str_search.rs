//! The methods of `str` that look for other text: find, count, startswith and their kin.

use minijinja::value::Value;

use crate::args::{is_given, require_str, Args};
use crate::value::{error, py, require_i64, type_name, Py, Result};

/// The part of `s` between two character positions (negative ones count from the end), and how many characters come before.
fn window<'a>(s: &'a str, start: &Option<Value>, end: &Option<Value>) -> Result<Option<(&'a str, usize)>> {
    if !is_given(start) && !is_given(end) {
        return Ok(Some((s, 0)));
    }
    let len = s.chars().count() as i64;
    let position = |value: &Option<Value>, default: i64| match value.as_ref().filter(|v| !v.is_none()) {
        Some(value) => require_i64(value).map(|n| if n < 0 { n.saturating_add(len).max(0) } else { n }),
        None => Ok(default),
    };
    let (start, end) = (position(start, 0)?, position(end, len)?.min(len));
    if start > end {
        return Ok(None);
    }
    let byte = |n: i64| s.char_indices().nth(n as usize).map_or(s.len(), |(at, _)| at);
    Ok(Some((&s[byte(start)..byte(end)], start as usize)))
}

pub fn search(s: &str, method: &str, args: Args) -> Result<Value> {
    let [needle, start, end] = args.bind(["sub", "start", "end"], 1)?;
    let needle = needle.unwrap_or_default();
    let needle = require_str(&needle)?;
    let found = window(s, &start, &end)?.and_then(|(part, before)| match method {
        "count" if needle.is_empty() => Some(part.chars().count() + 1),
        "count" => Some(part.matches(needle).count()),
        "find" | "index" => part.find(needle).map(|at| before + part[..at].chars().count()),
        _ => part.rfind(needle).map(|at| before + part[..at].chars().count()),
    });
    match (found, method) {
        (Some(n), _) => Ok(Value::from(n)),
        (None, "count") => Ok(Value::from(0)),
        (None, "find" | "rfind") => Ok(Value::from(-1)),
        (None, _) => Err(error("substring not found")),
    }
}

pub fn affix(s: &str, at_start: bool, args: Args) -> Result<Value> {
    let [wanted, start, end] = args.bind(["prefix", "start", "end"], 1)?;
    let wanted = wanted.unwrap_or_default();
    let Some((part, _)) = window(s, &start, &end)? else { return Ok(Value::from(false)) };
    let matches = |text: &str| if at_start { part.starts_with(text) } else { part.ends_with(text) };
    let name = if at_start { "startswith" } else { "endswith" };
    let wrong = |value: &Value, what: &str| error(format!("{name} {what}, not {}", type_name(value)));
    match py(&wanted) {
        Py::Str(text) => Ok(Value::from(matches(text))),
        Py::Tuple(choices) => {
            for choice in choices {
                let text = choice.as_str().ok_or_else(|| wrong(choice, "tuple for first arg must only contain str"))?;
                if matches(text) {
                    return Ok(Value::from(true));
                }
            }
            Ok(Value::from(false))
        }
        _ => Err(wrong(&wanted, "first arg must be str or a tuple of str")),
    }
}
