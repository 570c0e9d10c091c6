//! Filters that make or change numbers: abs, int, float, round, filesizeformat.

use minijinja::value::Value;

use crate::args::{flag, int, text, Args};
use crate::number_format::float_digits;
use crate::ops;
use crate::str_predicates::decimal_value;
use crate::text::{strip, Side};
use crate::value::{as_float, as_index, error, int_value, py, require_i64, type_name, undefined_error, Py, Result};

pub fn abs(value: &Value) -> Result<Value> {
    match py(value) {
        Py::Float(x) => Ok(Value::from(x.abs())),
        Py::Undefined => Err(error("bad operand type for abs(): 'Undefined'")),
        _ => as_index(value)
            .map(|n| int_value(n.saturating_abs()))
            .ok_or_else(|| error(format!("bad operand type for abs(): '{}'", type_name(value)))),
    }
}

pub fn file_size(args: Args) -> Result<Value> {
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

/// `float(value)` of Python, nothing where it raises ValueError or TypeError.
fn parse_float(value: &Value) -> Result<Option<f64>> {
    match py(value) {
        Py::Undefined => Err(undefined_error(value)),
        Py::Str(s) => {
            let text = plain_digits(strip(s, None, Side::Both));
            let special = text.as_deref().unwrap_or("").trim_start_matches(['+', '-']).to_ascii_lowercase();
            let named = matches!(special.as_str(), "inf" | "infinity" | "nan");
            let plain = special.starts_with(|c: char| c.is_ascii_digit() || c == '.');
            Ok(text.filter(|_| named || plain).and_then(|t| t.parse().ok()))
        }
        _ => Ok(as_float(value)),
    }
}

/// The digits of all scripts as ASCII's. Underscores are allowed between digits only.
fn plain_digits(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |i: Option<usize>| i.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_alphanumeric);
    let misplaced = bytes.iter().enumerate().any(|(i, b)| *b == b'_' && !(digit(i.checked_sub(1)) && digit(Some(i + 1))));
    let ascii = |c: char| decimal_value(c).and_then(|value| char::from_digit(value, 10)).unwrap_or(c);
    (!misplaced).then(|| text.chars().filter(|c| *c != '_').map(ascii).collect())
}

/// `int(text, base)` of Python, nothing where it raises ValueError.
fn parse_int(text: &str, base: i64) -> Option<i128> {
    let text = plain_digits(strip(text, None, Side::Both))?;
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

pub fn integer(args: Args) -> Result<Value> {
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

pub fn float(args: Args) -> Result<Value> {
    let [value, fallback] = args.bind(["value", "default"], 1)?;
    Ok(match parse_float(&value.unwrap_or_default())? {
        Some(x) => Value::from(x),
        None => fallback.unwrap_or_else(|| Value::from(0.0)),
    })
}

pub fn round(args: Args) -> Result<Value> {
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
