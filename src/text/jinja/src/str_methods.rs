//! The methods of `str`. Positions and widths count characters (code points), as in Python.

use minijinja::value::Value;

use crate::args::{flag, int, is_given, require_str, text, Args};
use crate::memory;
use crate::number_format::pad;
use crate::str_format::{self, Fields};
use crate::str_predicates;
use crate::text::{capitalize, is_space, py_title, split_lines, strip, Side};
use crate::value::{error, iterate, list, py, require_i64, text_like, tuple, type_name, Py, Result};

pub const NAMES: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
];

pub fn call(receiver: &Value, s: &str, method: &str, args: Args) -> Result<Value> {
    match method {
        "format" => {
            let (positional, keywords) = args.into_parts();
            let fields = Fields { positional: &positional, keywords: &keywords, mapping: None };
            Ok(text_like(receiver, str_format::format(s, &fields)?))
        }
        "format_map" => {
            let mapping = args.one()?;
            let fields = Fields { positional: &[], keywords: &[], mapping: Some(&mapping) };
            Ok(text_like(receiver, str_format::format(s, &fields)?))
        }
        "count" | "find" | "index" | "rfind" | "rindex" => search(s, method, args),
        "startswith" | "endswith" => affix(s, method == "startswith", args),
        "split" | "rsplit" => split(receiver, s, method == "split", args),
        "splitlines" => {
            let [keep] = args.bind(["keepends"], 0)?;
            Ok(list(split_lines(s, flag(&keep, false)).into_iter().map(Value::from).collect()))
        }
        "partition" | "rpartition" => partition(s, method == "partition", &args.one()?),
        "join" => join(receiver, s, &args.one()?),
        name if name.starts_with("is") => {
            args.bind([], 0)?;
            Ok(Value::from(str_predicates::holds(s, name)))
        }
        _ => Ok(text_like(receiver, transform(s, method, args)?)),
    }
}

/// The methods that return another string.
fn transform(s: &str, method: &str, args: Args) -> Result<String> {
    let side = match method {
        "lstrip" => Side::Left,
        "rstrip" => Side::Right,
        _ => Side::Both,
    };
    match method {
        "strip" | "lstrip" | "rstrip" => {
            let [chars] = args.bind(["chars"], 0)?;
            let chars = chars.filter(|c| !c.is_none());
            return Ok(strip(s, chars.as_ref().map(require_str).transpose()?, side).to_string());
        }
        "center" | "ljust" | "rjust" => return justify(s, method, args),
        "replace" => return replace_call(s, args),
        "zfill" => {
            let sign = s.starts_with(['+', '-']) as usize;
            return pad(s, width(&args.one()?)?, '0', '=', sign);
        }
        "removeprefix" => return Ok(s.strip_prefix(require_str(&args.one()?)?).unwrap_or(s).to_string()),
        "removesuffix" => return Ok(s.strip_suffix(require_str(&args.one()?)?).unwrap_or(s).to_string()),
        "expandtabs" => {
            let [size] = args.bind(["tabsize"], 0)?;
            return expand_tabs(s, int(&size, 8)?);
        }
        _ => {}
    }
    args.bind([], 0)?;
    Ok(match method {
        "capitalize" => capitalize(s),
        "casefold" => s.chars().flat_map(fold).collect(),
        "lower" => s.to_lowercase(),
        "upper" => s.to_uppercase(),
        "swapcase" => {
            let lower = |c: char| c.to_lowercase().collect::<String>();
            let upper = |c: char| c.to_uppercase().collect::<String>();
            s.chars().map(|c| if c.is_uppercase() { lower(c) } else { upper(c) }).collect()
        }
        _ => py_title(s),
    })
}

/// `str.casefold` of one character: up and down again, but for the few that have no way back.
fn fold(c: char) -> Vec<char> {
    match c {
        'ı' => vec![c],
        'ẞ' => vec!['s', 's'],
        // Cherokee
        '\u{13a0}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => c.to_uppercase().collect(),
        _ => c.to_uppercase().flat_map(char::to_lowercase).collect(),
    }
}

fn width(value: &Value) -> Result<usize> {
    Ok(require_i64(value)?.max(0) as usize)
}

fn justify(s: &str, method: &str, args: Args) -> Result<String> {
    let [size, fill] = args.bind(["width", "fillchar"], 1)?;
    let size = width(&size.unwrap_or_default())?;
    let mut fill_chars = text(&fill, " ")?.chars();
    let (Some(fill), None) = (fill_chars.next(), fill_chars.next()) else {
        return Err(error("The fill character must be exactly one character long"));
    };
    match method {
        "ljust" => pad(s, size, fill, '<', 0),
        "rjust" => pad(s, size, fill, '>', 0),
        _ => center(s, size, fill),
    }
}

/// `str.center`, which puts the odd blank on the left only when the width is odd.
pub fn center(s: &str, size: usize, fill: char) -> Result<String> {
    let missing = size.saturating_sub(s.chars().count());
    let left = missing / 2 + (missing & size & 1);
    let padded = pad(s, size - (missing - left), fill, '>', 0)?;
    pad(&padded, size, fill, '<', 0)
}

fn expand_tabs(s: &str, size: i64) -> Result<String> {
    let size = size.max(0) as usize;
    memory::reserve(s.matches('\t').count().saturating_mul(size).saturating_add(s.len()))?;
    let mut out = String::with_capacity(s.len());
    let mut column = 0;
    for c in s.chars() {
        match c {
            '\t' => {
                let blanks = if size == 0 { 0 } else { size - column % size };
                out.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            _ => {
                column = if c == '\n' || c == '\r' { 0 } else { column + 1 };
                out.push(c);
            }
        }
    }
    Ok(out)
}

fn replace_call(s: &str, args: Args) -> Result<String> {
    let [old, new, count] = args.bind(["old", "new", "count"], 2)?;
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    replace(s, require_str(&old)?, require_str(&new)?, int(&count, -1)?)
}

/// `str.replace`; a negative count replaces all.
pub fn replace(s: &str, old: &str, new: &str, count: i64) -> Result<String> {
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let hits = s.matches(old).take(limit).count();
    memory::reserve(s.len().saturating_add(hits.saturating_mul(new.len())))?;
    Ok(s.replacen(old, new, limit))
}

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

fn search(s: &str, method: &str, args: Args) -> Result<Value> {
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

fn affix(s: &str, at_start: bool, args: Args) -> Result<Value> {
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

fn split(receiver: &Value, s: &str, from_left: bool, args: Args) -> Result<Value> {
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

fn partition(s: &str, first: bool, separator: &Value) -> Result<Value> {
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

fn join(receiver: &Value, separator: &str, items: &Value) -> Result<Value> {
    let mut out = String::new();
    for (i, item) in iterate(items)?.iter().enumerate() {
        let text = item
            .as_str()
            .ok_or_else(|| error(format!("sequence item {i}: expected str instance, {} found", type_name(item))))?;
        if i > 0 {
            crate::repr::push(&mut out, separator)?;
        }
        crate::repr::push(&mut out, text)?;
    }
    Ok(text_like(receiver, out))
}
