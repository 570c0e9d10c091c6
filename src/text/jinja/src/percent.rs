//! `format % values`, Python's printf.

use minijinja::value::Value;

use crate::number_format::{float_digits, int_digits, pad, require_precision};
use crate::repr;
use crate::value::{as_float, error, py, type_name, undefined_error, Py, Result};

#[derive(Default)]
struct Spec {
    alternate: bool,
    zero: bool,
    left: bool,
    space: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
}

/// Where the values come from: a tuple is taken apart, anything else is the only value.
struct Source<'a> {
    values: &'a Value,
    next: usize,
}

impl Source<'_> {
    fn next(&mut self) -> Result<Value> {
        let value = match py(self.values) {
            Py::Tuple(items) => items.get(self.next).cloned(),
            _ if self.next == 0 => Some(self.values.clone()),
            _ => None,
        };
        self.next += 1;
        value.ok_or_else(|| error("not enough arguments for format string"))
    }

    fn by_key(&mut self, key: &str) -> Result<Value> {
        match py(self.values) {
            Py::Dict(dict) => dict.get(&Value::from(key)).cloned().ok_or_else(|| error(format!("KeyError: '{key}'"))),
            _ => Err(error("format requires a mapping")),
        }
    }

    fn finish(&self) -> Result<()> {
        let surplus = match py(self.values) {
            Py::Tuple(items) => self.next < items.len(),
            Py::Dict(_) | Py::List(_) | Py::Other(_) => false,
            _ => self.next == 0,
        };
        if surplus {
            return Err(error("not all arguments converted during string formatting"));
        }
        Ok(())
    }
}

pub fn format(text: &str, values: &Value) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut source = Source { values, next: 0 };
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        repr::push(&mut out, &rest[..at])?;
        rest = format_one(&mut out, &rest[at + 1..], &mut source)?;
    }
    repr::push(&mut out, rest)?;
    source.finish()?;
    Ok(out)
}

/// Formats the conversion at the start of `text` (after its percent sign) and returns what follows it.
fn format_one<'a>(out: &mut String, text: &'a str, source: &mut Source) -> Result<&'a str> {
    let mut rest = text;
    let mut keyed = None;
    if let Some(after) = rest.strip_prefix('(') {
        let (key, after) = after.split_once(')').ok_or_else(|| error("incomplete format key"))?;
        keyed = Some(source.by_key(key)?);
        rest = after;
    }
    let mut spec = Spec::default();
    rest = flags(rest, &mut spec);
    if let Some(width) = number(&mut rest, source)? {
        spec.left |= width < 0;
        spec.width = width.unsigned_abs() as usize;
    }
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        spec.precision = Some(number(&mut rest, source)?.unwrap_or(0).max(0) as usize);
    }
    rest = rest.trim_start_matches(['h', 'l', 'L']);
    let kind = rest.chars().next().ok_or_else(|| error("incomplete format"))?;
    if kind == '%' {
        repr::push(out, "%")?;
    } else {
        let value = keyed.map_or_else(|| source.next(), Ok)?;
        repr::push(out, &convert(&value, kind, &spec)?)?;
    }
    Ok(&rest[kind.len_utf8()..])
}

fn flags<'a>(text: &'a str, spec: &mut Spec) -> &'a str {
    let end = text.find(|c| !"#0- +".contains(c)).unwrap_or(text.len());
    for flag in text[..end].chars() {
        match flag {
            '#' => spec.alternate = true,
            '0' => spec.zero = true,
            '-' => spec.left = true,
            ' ' => spec.space = true,
            _ => spec.plus = true,
        }
    }
    &text[end..]
}

/// Digits, or `*` for a number taken from the values.
fn number(rest: &mut &str, source: &mut Source) -> Result<Option<i64>> {
    if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        return crate::value::require_i64(&source.next()?).map(Some);
    }
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    if digits.is_empty() {
        return Ok(None);
    }
    digits.parse::<i32>().map(|n| Some(n as i64)).map_err(|_| error("width too big"))
}

fn convert(value: &Value, kind: char, spec: &Spec) -> Result<String> {
    match kind {
        's' | 'r' | 'a' => {
            let text = match kind {
                's' => repr::to_str(value)?,
                'r' => repr::to_repr(value)?,
                _ => ascii(&repr::to_repr(value)?),
            };
            let cut = match spec.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text,
            };
            pad(&cut, spec.width, ' ', if spec.left { '<' } else { '>' }, 0)
        }
        'c' => pad(&character(value)?, spec.width, ' ', if spec.left { '<' } else { '>' }, 0),
        'd' | 'i' | 'u' => int_field(truncated(value, kind)?, 'd', spec),
        'o' | 'x' | 'X' => match py(value) {
            Py::Int(n) => int_field(n, kind, spec),
            Py::Bool(b) => int_field(b as i128, kind, spec),
            _ => Err(error(format!("%{kind} format: an integer is required, not {}", type_name(value)))),
        },
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let x = real(value, kind)?;
            let precision = require_precision(spec.precision.unwrap_or(6))?;
            signed_field(
                x.is_sign_negative() && !x.is_nan(),
                "",
                &float_digits(x, kind, precision, spec.alternate),
                x.is_finite(),
                spec,
            )
        }
        _ => Err(error(format!("unsupported format character '{kind}' (0x{:x})", kind as u32))),
    }
}

fn real(value: &Value, kind: char) -> Result<f64> {
    if value.is_undefined() {
        return Err(undefined_error(value));
    }
    as_float(value).ok_or_else(|| error(format!("%{kind} format: a real number is required, not {}", type_name(value))))
}

fn truncated(value: &Value, kind: char) -> Result<i128> {
    match py(value) {
        Py::Int(n) => Ok(n),
        _ => match real(value, kind)? {
            x if x.is_finite() => Ok(x.trunc() as i128),
            _ => Err(error("cannot convert float infinity or NaN to integer")),
        },
    }
}

fn character(value: &Value) -> Result<String> {
    match py(value) {
        Py::Int(n) => u32::try_from(n).ok().and_then(char::from_u32).map(String::from),
        Py::Str(s) if s.chars().count() == 1 => Some(s.to_string()),
        _ => None,
    }
    .ok_or_else(|| error("%c requires int or char"))
}

fn int_field(n: i128, kind: char, spec: &Spec) -> Result<String> {
    let (prefix, mut digits) = int_digits(n, kind);
    if let Some(precision) = spec.precision {
        digits = pad(&digits, precision, '0', '>', 0)?;
    }
    signed_field(n < 0, if spec.alternate { prefix } else { "" }, &digits, true, spec)
}

fn signed_field(negative: bool, prefix: &str, digits: &str, may_zero_pad: bool, spec: &Spec) -> Result<String> {
    let sign = match (negative, spec.plus, spec.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    let head = [sign, prefix].concat();
    let text = format!("{head}{digits}");
    match (spec.left, spec.zero && may_zero_pad) {
        (true, _) => pad(&text, spec.width, ' ', '<', 0),
        (false, true) => pad(&text, spec.width, '0', '=', head.len()),
        (false, false) => pad(&text, spec.width, ' ', '>', 0),
    }
}

/// `ascii()` of an already escaped repr.
pub fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c as u32 {
            0..=0x7f => out.push(c),
            code @ 0x80..=0xff => out.push_str(&format!("\\x{code:02x}")),
            code @ 0x100..=0xffff => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}
