//! jinja2's filters by name. Those of text and numbers are here; sequences and aggregates have their own files.

use minijinja::value::Value;
use minijinja::State;

use crate::access;
use crate::aggregates;
use crate::args::{flag, int, is_given, require_str, text, Args};
use crate::html;
use crate::json;
use crate::memory;
use crate::methods;
use crate::number_format::float_digits;
use crate::ops;
use crate::percent;
use crate::repr;
use crate::sequences;
use crate::str_methods;
use crate::text::{capitalize, is_space, split_lines, strip, Side};
use crate::value::{
    as_float, as_index, error, int_value, iterate, length, list, py, require_i64, text_like, tuple, type_name, undefined_error,
    Py, Result,
};
use crate::wrap;

pub type Function = fn(&mut State, Args) -> Result<Value>;

pub const FILTERS: &[(&str, Function)] = &[
    ("abs", |_, args| abs(&args.one()?)),
    ("attr", |_, args| attr(args)),
    ("batch", |_, args| sequences::batch(args)),
    ("capitalize", |_, args| on_text(&args.one()?, |s| Ok(capitalize(s)))),
    ("center", |_, args| center(args)),
    ("count", |_, args| length(&args.one()?).map(Value::from)),
    ("d", |_, args| default(args)),
    ("default", |_, args| default(args)),
    ("dictsort", |_, args| aggregates::dict_sort(args)),
    ("e", |_, args| html::escape_value(&args.one()?)),
    ("escape", |_, args| html::escape_value(&args.one()?)),
    ("filesizeformat", |_, args| file_size(args)),
    ("first", |_, args| sequences::first(&args.one()?)),
    ("float", |_, args| float(args)),
    ("forceescape", |_, args| Ok(Value::from_safe_string(html::escape(&repr::to_str(&args.one()?)?)?))),
    ("format", |_, args| format(args)),
    ("groupby", |_, args| aggregates::group_by(args)),
    ("indent", |_, args| indent(args)),
    ("int", |_, args| integer(args)),
    ("items", |_, args| sequences::items(&args.one()?)),
    ("join", |_, args| sequences::join(args)),
    ("last", |_, args| sequences::last(&args.one()?)),
    ("length", |_, args| length(&args.one()?).map(Value::from)),
    ("list", |_, args| iterate(&args.one()?).map(list)),
    ("lower", |_, args| on_text(&args.one()?, |s| Ok(s.to_lowercase()))),
    ("map", sequences::map),
    ("max", |_, args| aggregates::extreme(args, ">")),
    ("min", |_, args| aggregates::extreme(args, "<")),
    ("pprint", |_, args| wrap::pretty(&args.one()?).map(Value::from)),
    ("reject", |state, args| sequences::select(state, args, false, false)),
    ("rejectattr", |state, args| sequences::select(state, args, true, false)),
    ("replace", |_, args| replace(args)),
    ("reverse", |_, args| sequences::reverse(&args.one()?)),
    ("round", |_, args| round(args)),
    ("safe", |_, args| Ok(Value::from_safe_string(repr::to_str(&args.one()?)?))),
    ("select", |state, args| sequences::select(state, args, false, true)),
    ("selectattr", |state, args| sequences::select(state, args, true, true)),
    ("slice", |_, args| sequences::slice(args)),
    ("sort", |_, args| aggregates::sort(args)),
    ("string", |_, args| string(args.one()?)),
    ("striptags", |_, args| html::strip_tags(&repr::to_str(&args.one()?)?).map(Value::from)),
    ("sum", |_, args| aggregates::sum(args)),
    ("title", |_, args| on_text(&args.one()?, |s| Ok(title(s)))),
    ("tojson", |_, args| json::filter(args)),
    ("trim", |_, args| trim(args)),
    ("truncate", |_, args| truncate(args)),
    ("unique", |_, args| aggregates::unique(args)),
    ("upper", |_, args| on_text(&args.one()?, |s| Ok(s.to_uppercase()))),
    ("urlencode", |_, args| html::url_encode(&args.one()?).map(Value::from)),
    ("wordcount", |_, args| Ok(Value::from(word_count(&repr::to_str(&args.one()?)?)))),
    ("wordwrap", |_, args| word_wrap(args)),
    ("xmlattr", |_, args| xml_attributes(args)),
];

pub fn find(name: &str) -> Option<Function> {
    FILTERS.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}

/// A filter that maps text to text, after `soft_str`.
fn on_text(value: &Value, f: impl Fn(&str) -> Result<String>) -> Result<Value> {
    match py(value) {
        Py::Str(s) => Ok(text_like(value, f(s)?)),
        _ => Ok(Value::from(f(&repr::to_str(value)?)?)),
    }
}

fn string(value: Value) -> Result<Value> {
    match py(&value) {
        Py::Str(_) => Ok(value),
        _ => Ok(Value::from(repr::to_str(&value)?)),
    }
}

fn abs(value: &Value) -> Result<Value> {
    match py(value) {
        Py::Float(x) => Ok(Value::from(x.abs())),
        Py::Undefined => Err(error("bad operand type for abs(): 'Undefined'")),
        _ => as_index(value)
            .map(|n| int_value(n.saturating_abs()))
            .ok_or_else(|| error(format!("bad operand type for abs(): '{}'", type_name(value)))),
    }
}

/// Attributes only: a dict's keys are not seen.
fn attr(args: Args) -> Result<Value> {
    let [object, name] = args.bind(["obj", "name"], 2)?;
    let (object, name) = (object.unwrap_or_default(), name.unwrap_or_default());
    let name = require_str(&name)?;
    match py(&object) {
        Py::Other(_) => access::attribute(&object, name),
        _ if methods::find(&object, name).is_some() => access::attribute(&object, name),
        _ => Ok(Value::UNDEFINED),
    }
}

fn center(args: Args) -> Result<Value> {
    let [value, width] = args.bind(["value", "width"], 1)?;
    let width = int(&width, 80)?.max(0) as usize;
    on_text(&value.unwrap_or_default(), |s| str_methods::center(s, width, ' '))
}

fn default(args: Args) -> Result<Value> {
    let [value, fallback, boolean] = args.bind(["value", "default_value", "boolean"], 1)?;
    let value = value.unwrap_or_default();
    if value.is_undefined() || flag(&boolean, false) && !value.is_true() {
        return Ok(fallback.unwrap_or_else(|| Value::from("")));
    }
    Ok(value)
}

fn file_size(args: Args) -> Result<Value> {
    let [value, binary] = args.bind(["value", "binary"], 1)?;
    let binary = flag(&binary, false);
    let bytes = parse_float(&value.unwrap_or_default())?.ok_or_else(|| error("could not convert to float"))?;
    let (base, suffix) = if binary { (1024f64, "iB") } else { (1000f64, "B") };
    if bytes == 1.0 {
        return Ok(Value::from("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::from(format!("{} Bytes", bytes.trunc() as i64)));
    }
    let letters = if binary { "KMGTPEZY" } else { "kMGTPEZY" };
    let mut unit = base;
    let mut letter = 'Y';
    for candidate in letters.chars() {
        unit *= base;
        letter = candidate;
        if bytes < unit {
            break;
        }
    }
    Ok(Value::from(format!("{} {letter}{suffix}", float_digits(base * bytes / unit, 'f', 1, false))))
}

fn format(args: Args) -> Result<Value> {
    let (mut positional, keywords) = args.into_parts();
    if positional.is_empty() {
        return Err(error("format() missing required argument 'value'"));
    }
    let value = positional.remove(0);
    let values = match (positional.is_empty(), keywords.is_empty()) {
        (false, false) => return Err(error("can't handle positional and keyword arguments at the same time")),
        (_, true) => tuple(positional),
        (true, false) => crate::value::dict(keywords.into_iter().map(|(key, value)| (Value::from(key), value)).collect()),
    };
    Ok(Value::from(percent::format(&repr::to_str(&value)?, &values)?))
}

fn indent(args: Args) -> Result<Value> {
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

/// `float(value)` of Python, nothing where it raises ValueError or TypeError.
fn parse_float(value: &Value) -> Result<Option<f64>> {
    match py(value) {
        Py::Undefined => Err(undefined_error(value)),
        Py::Str(s) => {
            let text = digits_without_underscores(strip(s, None, Side::Both));
            let special = text.as_deref().unwrap_or("").trim_start_matches(['+', '-']).to_ascii_lowercase();
            let named = matches!(special.as_str(), "inf" | "infinity" | "nan");
            let plain = special.starts_with(|c: char| c.is_ascii_digit() || c == '.');
            Ok(text.filter(|_| named || plain).and_then(|t| t.parse().ok()))
        }
        _ => Ok(as_float(value)),
    }
}

/// Underscores are allowed between digits only.
fn digits_without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |i: Option<usize>| i.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_alphanumeric);
    let misplaced = bytes.iter().enumerate().any(|(i, b)| *b == b'_' && !(digit(i.checked_sub(1)) && digit(Some(i + 1))));
    (!misplaced).then(|| text.replace('_', ""))
}

/// `int(text, base)` of Python, nothing where it raises ValueError.
fn parse_int(text: &str, base: i64) -> Option<i128> {
    let text = digits_without_underscores(strip(text, None, Side::Both))?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, of)| (base == 0 || base == of).then(|| lower.strip_prefix(prefix)).flatten().map(|rest| (of, rest)))
        .unwrap_or((if base == 0 { 10 } else { base }, &lower));
    if !(2..=36).contains(&base) || digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, base as u32).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

fn integer(args: Args) -> Result<Value> {
    let [value, fallback, base] = args.bind(["value", "default", "base"], 1)?;
    let (value, fallback) = (value.unwrap_or_default(), fallback.unwrap_or_else(|| Value::from(0)));
    let parsed = match py(&value) {
        Py::Str(s) => parse_int(s, int(&base, 10)?),
        _ => as_index(&value),
    };
    if let Some(n) = parsed {
        return Ok(int_value(n));
    }
    match parse_float(&value)? {
        Some(x) if x.is_infinite() && value.as_str().is_none() => Err(error("cannot convert float infinity to integer")),
        Some(x) if x.is_finite() => Ok(int_value(x.trunc() as i128)),
        _ => Ok(fallback),
    }
}

fn float(args: Args) -> Result<Value> {
    let [value, fallback] = args.bind(["value", "default"], 1)?;
    Ok(match parse_float(&value.unwrap_or_default())? {
        Some(x) => Value::from(x),
        None => fallback.unwrap_or_else(|| Value::from(0.0)),
    })
}

fn replace(args: Args) -> Result<Value> {
    let [value, old, new, count] = args.bind(["s", "old", "new", "count"], 3)?;
    let [value, old, new] = [value, old, new].map(|v| repr::to_str(&v.unwrap_or_default()));
    let count = if is_given(&count) { int(&count, -1)? } else { -1 };
    str_methods::replace(&value?, &old?, &new?, count).map(Value::from)
}

fn round(args: Args) -> Result<Value> {
    let [value, precision, method] = args.bind(["value", "precision", "method"], 1)?;
    let value = value.unwrap_or_default();
    if value.is_undefined() {
        return Err(undefined_error(&value));
    }
    let not_a_number = || error(format!("type {} doesn't define __round__ method", type_name(&value)));
    let x = as_float(&value).ok_or_else(not_a_number)?;
    let precision = precision.map_or(Ok(0), |p| require_i64(&p))?.clamp(-400, 400) as i32;
    match (text(&method, "common")?, as_index(&value)) {
        ("common", Some(n)) => Ok(int_value(round_int(n, precision))),
        ("common", None) => Ok(Value::from(round_float(x, precision))),
        ("ceil" | "floor", _) if !x.is_finite() => Err(error("cannot convert float infinity or NaN to integer")),
        (method @ ("ceil" | "floor"), _) => {
            let scaled = ops::mul(&value, &ops::pow(&Value::from(10), &Value::from(precision))?)?;
            let scaled = as_float(&scaled).unwrap_or(x);
            let whole = int_value(if method == "ceil" { scaled.ceil() } else { scaled.floor() } as i128);
            ops::div(&whole, &ops::pow(&Value::from(10), &Value::from(precision))?)
        }
        _ => Err(error("method must be common, ceil or floor")),
    }
}

/// Half goes to even; the exact decimal expansion decides what is half.
fn round_float(x: f64, precision: i32) -> f64 {
    if !x.is_finite() || precision > 320 {
        return x;
    }
    if precision >= 0 {
        return format!("{x:.*}", precision as usize).parse().unwrap_or(x);
    }
    let power = 10f64.powi(-precision);
    (x / power).round_ties_even() * power
}

fn round_int(n: i128, precision: i32) -> i128 {
    let Some(power) = 10i128.checked_pow(precision.min(0).unsigned_abs()) else { return 0 };
    let (quotient, remainder) = (n.div_euclid(power), n.rem_euclid(power));
    let up = remainder * 2 > power || remainder * 2 == power && quotient % 2 != 0;
    (quotient + up as i128).saturating_mul(power)
}

/// Every run after blanks, dashes or opening brackets starts with a capital.
fn title(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let mut at_start = true;
    for c in s.chars() {
        let separator = is_space(c) || "-({[<".contains(c);
        if at_start || separator {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        at_start = separator;
    }
    out
}

fn trim(args: Args) -> Result<Value> {
    let [value, chars] = args.bind(["value", "chars"], 1)?;
    let chars = chars.filter(|c| !c.is_none());
    let chars = chars.as_ref().map(require_str).transpose()?;
    on_text(&value.unwrap_or_default(), |s| Ok(strip(s, chars, Side::Both).to_string()))
}

fn truncate(args: Args) -> Result<Value> {
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

fn word_count(s: &str) -> usize {
    s.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).count()
}

fn word_wrap(args: Args) -> Result<Value> {
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

fn xml_attributes(args: Args) -> Result<Value> {
    let [value, autospace] = args.bind(["d", "autospace"], 1)?;
    html::xml_attributes(&value.unwrap_or_default(), flag(&autospace, true)).map(Value::from)
}
