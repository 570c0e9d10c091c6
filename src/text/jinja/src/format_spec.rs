//! `format(value, spec)`: the format mini-language of strings, integers and floats.

use minijinja::value::Value;

use crate::number_format::{float_default_digits, float_digits, group, int_digits, pad, require_precision};
use crate::repr;
use crate::value::{as_float, error, py, type_name, Py, Result};

/// The parts of a format spec: `[[fill]align][sign][#][0][width][grouping][.precision][type]`.
struct Spec {
    fill: char,
    align: Option<char>,
    sign: char,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

fn parse_spec(text: &str) -> Result<Spec> {
    let mut chars = text.chars().peekable();
    let mut spec =
        Spec { fill: ' ', align: None, sign: '-', alternate: false, width: 0, grouping: None, precision: None, kind: None };
    let is_align = |c: char| "<>=^".contains(c);
    let mut ahead = text.chars();
    match (ahead.next(), ahead.next()) {
        (Some(fill), Some(align)) if is_align(align) => {
            spec.fill = fill;
            spec.align = Some(align);
            chars.nth(1);
        }
        (Some(align), _) if is_align(align) => spec.align = chars.next(),
        _ => {}
    }
    if let Some(sign) = chars.next_if(|c| "+- ".contains(*c)) {
        spec.sign = sign;
    }
    chars.next_if_eq(&'z');
    spec.alternate = chars.next_if_eq(&'#').is_some();
    if chars.next_if_eq(&'0').is_some() && spec.align.is_none() {
        spec.fill = '0';
        spec.align = Some('=');
    }
    let digits = |chars: &mut std::iter::Peekable<std::str::Chars>| -> Result<Option<usize>> {
        let mut text = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            text.push(digit);
        }
        match text.is_empty() {
            true => Ok(None),
            false => {
                text.parse::<u32>().map(|n| Some(n as usize)).map_err(|_| error("Too many decimal digits in format string"))
            }
        }
    };
    spec.width = digits(&mut chars)?.unwrap_or(0);
    spec.grouping = chars.next_if(|c| ",_".contains(*c));
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = Some(digits(&mut chars)?.ok_or_else(|| error("Format specifier missing precision"))?);
    }
    spec.kind = chars.next();
    match chars.next() {
        Some(_) => Err(error(format!("Invalid format specifier '{text}'"))),
        None => Ok(spec),
    }
}

/// `format(value, spec)`
pub fn format_value(value: &Value, spec: &str) -> Result<String> {
    if spec.is_empty() {
        return repr::to_str(value);
    }
    let parsed = parse_spec(spec)?;
    match py(value) {
        Py::Str(s) => format_str(s, &parsed),
        Py::Bool(b) => format_int(value, b as i128, &parsed),
        Py::Int(n) => format_int(value, n, &parsed),
        Py::Float(x) => format_float(value, x, &parsed),
        _ => Err(error(format!("unsupported format string passed to {}.__format__", type_name(value)))),
    }
}

fn unknown_kind(kind: char, value: &Value) -> minijinja::Error {
    error(format!("Unknown format code '{kind}' for object of type '{}'", type_name(value)))
}

fn format_str(s: &str, spec: &Spec) -> Result<String> {
    if let Some(kind) = spec.kind.filter(|k| *k != 's') {
        return Err(error(format!("Unknown format code '{kind}' for object of type 'str'")));
    }
    if spec.sign != '-' || spec.align == Some('=') && spec.fill != '0' || spec.grouping.is_some() || spec.alternate {
        return Err(error("sign, '=' alignment, grouping and '#' are not allowed in string format specifier"));
    }
    let align = spec.align.filter(|a| *a != '=').unwrap_or('<');
    match spec.precision {
        Some(precision) => pad(&s.chars().take(precision).collect::<String>(), spec.width, spec.fill, align, 0),
        None => pad(s, spec.width, spec.fill, align, 0),
    }
}

fn format_int(value: &Value, n: i128, spec: &Spec) -> Result<String> {
    match spec.kind.unwrap_or('d') {
        kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => {
            let x = as_float(value).unwrap_or(n as f64);
            format_float(value, x, &Spec { kind: Some(kind), ..*spec })
        }
        'c' => {
            let c = u32::try_from(n).ok().and_then(char::from_u32).ok_or_else(|| error("%c arg not in range(0x110000)"))?;
            pad(&c.to_string(), spec.width, spec.fill, spec.align.unwrap_or('<'), 0)
        }
        _ if spec.precision.is_some() => Err(error("Precision not allowed in integer format specifier")),
        kind @ ('d' | 'n' | 'b' | 'o' | 'x' | 'X') => {
            let (prefix, digits) = int_digits(n, kind);
            let size = if prefix.is_empty() { 3 } else { 4 };
            finish(n < 0, if spec.alternate { prefix } else { "" }, &digits, size, spec)
        }
        kind => Err(unknown_kind(kind, value)),
    }
}

fn format_float(value: &Value, x: f64, spec: &Spec) -> Result<String> {
    let precision = spec.precision.map(require_precision).transpose()?;
    let digits = match (spec.kind, precision) {
        (None, None) => repr::float_repr(x.abs()),
        (None, Some(precision)) => float_default_digits(x, precision),
        (Some('%'), precision) => float_digits(x * 100.0, 'f', precision.unwrap_or(6), spec.alternate) + "%",
        (Some('n'), precision) => float_digits(x, 'g', precision.unwrap_or(6), spec.alternate),
        (Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G')), precision) => {
            float_digits(x, kind, precision.unwrap_or(6), spec.alternate)
        }
        (Some(kind), _) => return Err(unknown_kind(kind, value)),
    };
    finish(x.is_sign_negative() && !x.is_nan(), "", &digits, 3, spec)
}

/// Sign, prefix, grouping and padding around the digits of a number.
fn finish(negative: bool, prefix: &str, digits: &str, group_size: usize, spec: &Spec) -> Result<String> {
    let sign = match (negative, spec.sign) {
        (true, _) => "-",
        (false, '-') => "",
        (false, '+') => "+",
        (false, _) => " ",
    };
    let head = [sign, prefix].concat();
    let zero_padded = spec.fill == '0' && spec.align == Some('=');
    let body = match spec.grouping {
        Some(separator) => {
            let width = if zero_padded { spec.width.saturating_sub(head.len()) } else { 0 };
            group(digits, separator, group_size, width)?
        }
        None => digits.to_string(),
    };
    pad(&format!("{head}{body}"), spec.width, spec.fill, spec.align.unwrap_or('>'), head.len())
}
