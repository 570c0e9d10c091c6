//! The methods of `str`. Positions and widths count characters (code points), as in Python.

use minijinja::value::Value;

use crate::args::{flag, int, require_str, text, Args};
use crate::memory;
use crate::number_format::pad;
use crate::str_format::{self, Fields};
use crate::str_predicates;
use crate::str_search::{affix, search};
use crate::str_split::{join, partition, split};
use crate::text::{capitalize, py_title, split_lines, strip, swap_case, Side};
use crate::translate;
use crate::value::{error, list, require_i64, text_like, Result};

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
    "maketrans",
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
    "translate",
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
        "translate" => Ok(text_like(receiver, translate::translate(s, &args.one()?)?)),
        "maketrans" => translate::make_table(args),
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
        "swapcase" => swap_case(s),
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
