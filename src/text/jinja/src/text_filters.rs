//! Filters that make or change text.

use minijinja::value::Value;

use crate::args::{flag, int, is_given, require_str, text, Args};
use crate::memory;
use crate::ops;
use crate::percent;
use crate::repr;
use crate::str_methods;
use crate::text::{is_space, split_lines, strip, Side};
use crate::value::{dict, error, length, py, text_like, tuple, undefined_error, Py, Result};
use crate::wrap;

/// A filter that maps text to text, after `soft_str`.
pub fn on_text(value: &Value, f: impl Fn(&str) -> Result<String>) -> Result<Value> {
    match py(value) {
        Py::Str(s) => Ok(text_like(value, f(s)?)),
        _ => Ok(Value::from(f(&repr::to_str(value)?)?)),
    }
}

pub fn string(value: Value) -> Result<Value> {
    match py(&value) {
        Py::Str(_) => Ok(value),
        _ => Ok(Value::from(repr::to_str(&value)?)),
    }
}

pub fn center(args: Args) -> Result<Value> {
    let [value, width] = args.bind(["value", "width"], 1)?;
    let width = int(&width, 80)?.max(0) as usize;
    on_text(&value.unwrap_or_default(), |s| str_methods::center(s, width, ' '))
}

pub fn format(args: Args) -> Result<Value> {
    let (mut positional, keywords) = args.into_parts();
    if positional.is_empty() {
        return Err(error("format() missing required argument 'value'"));
    }
    let value = positional.remove(0);
    let values = match (positional.is_empty(), keywords.is_empty()) {
        (false, false) => return Err(error("can't handle positional and keyword arguments at the same time")),
        (_, true) => tuple(positional),
        (true, false) => dict(keywords.into_iter().map(|(key, value)| (Value::from(key), value)).collect()),
    };
    Ok(Value::from(percent::format(&repr::to_str(&value)?, &values)?))
}

pub fn indent(args: Args) -> Result<Value> {
    let [value, width, first, blank] = args.bind(["s", "width", "first", "blank"], 1)?;
    let value = value.unwrap_or_default();
    if value.is_undefined() {
        return Err(undefined_error(&value));
    }
    let s = require_str(&value)?;
    let indention = match &width {
        Some(text) if text.as_str().is_some() => text.as_str().unwrap_or_default().to_string(),
        _ => {
            let width = int(&width, 4)?.max(0) as usize;
            memory::reserve(width)?;
            " ".repeat(width)
        }
    };
    let with_end = [s, "\n"].concat();
    let lines = split_lines(&with_end, false);
    memory::reserve(indention.len().saturating_mul(lines.len()).saturating_add(s.len()))?;
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let wanted = if i == 0 { flag(&first, false) } else { flag(&blank, false) || !line.is_empty() };
        if wanted {
            out.push_str(&indention);
        }
        out.push_str(line);
    }
    Ok(text_like(&value, out))
}

pub fn replace(args: Args) -> Result<Value> {
    let [value, old, new, count] = args.bind(["s", "old", "new", "count"], 3)?;
    let [value, old, new] = [value, old, new].map(|v| repr::to_str(&v.unwrap_or_default()));
    let count = if is_given(&count) { int(&count, -1)? } else { -1 };
    str_methods::replace(&value?, &old?, &new?, count).map(Value::from)
}

/// Every run after blanks, dashes or opening brackets starts with a capital.
pub fn title(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let is_separator = |c: char| is_space(c) || "-({[<".contains(c);
    let mut rest = s;
    while let Some(first) = rest.chars().next() {
        out.extend(first.to_uppercase());
        rest = &rest[first.len_utf8()..];
        // A run of separators ends where a word begins, and the other way round.
        let end = rest.find(|c| is_separator(c) != is_separator(first)).unwrap_or(rest.len());
        out.push_str(&rest[..end].to_lowercase());
        rest = &rest[end..];
    }
    out
}

pub fn trim(args: Args) -> Result<Value> {
    let [value, chars] = args.bind(["value", "chars"], 1)?;
    let chars = chars.filter(|c| !c.is_none());
    let chars = chars.as_ref().map(require_str).transpose()?;
    on_text(&value.unwrap_or_default(), |s| Ok(strip(s, chars, Side::Both).to_string()))
}

pub fn truncate(args: Args) -> Result<Value> {
    let [value, limit, kill_words, end, leeway] = args.bind(["s", "length", "killwords", "end", "leeway"], 1)?;
    let value = value.unwrap_or_default();
    let (limit, end) = (int(&limit, 255)?, text(&end, "...")?);
    let leeway = if is_given(&leeway) { int(&leeway, 5)? } else { 5 };
    let end_length = end.chars().count() as i64;
    if limit < end_length {
        return Err(error(format!("expected length >= {end_length}, got {limit}")));
    }
    if leeway < 0 {
        return Err(error(format!("expected leeway >= 0, got {leeway}")));
    }
    if length(&value)? as i64 <= limit.saturating_add(leeway) {
        return Ok(value);
    }
    let s = require_str(&value)?;
    let kept: String = s.chars().take((limit - end_length) as usize).collect();
    let kept = if flag(&kill_words, false) { &kept } else { kept.rsplit_once(' ').map_or(kept.as_str(), |(head, _)| head) };
    ops::add(&text_like(&value, kept.to_string()), &Value::from(end))
}

pub fn word_count(s: &str) -> usize {
    s.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).count()
}

pub fn word_wrap(args: Args) -> Result<Value> {
    let [value, width, break_long, joint, break_hyphens] =
        args.bind(["s", "width", "break_long_words", "wrapstring", "break_on_hyphens"], 1)?;
    let value = value.unwrap_or_default();
    let width = int(&width, 79)?;
    if width <= 0 {
        return Err(error(format!("invalid width {width} (must be > 0)")));
    }
    let joint = joint.filter(|j| !j.is_none());
    let style = wrap::Style {
        width: width as usize,
        break_long_words: flag(&break_long, true),
        break_on_hyphens: flag(&break_hyphens, true),
    };
    wrap::wrap(require_str(&value)?, &style, text(&joint, "\n")?).map(Value::from)
}
