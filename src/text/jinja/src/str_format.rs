//! `"...".format(...)` and `format_map`: replacement fields with attribute and item paths, conversions and nested specs, under
//! the sandbox's access rules; and the format mini-language of strings, integers and floats.

use minijinja::value::Value;

use crate::access;
use crate::number_format::{float_default_digits, float_digits, group, int_digits, pad, require_precision};
use crate::percent::ascii;
use crate::repr;
use crate::value::{as_float, error, py, type_name, Py, Result};

/// The values fields refer to by position or by name.
pub struct Fields<'a> {
    pub positional: &'a [Value],
    pub keywords: &'a [(String, Value)],
    /// The argument of `format_map`.
    pub mapping: Option<&'a Value>,
}

impl Fields<'_> {
    fn lookup(&self, name: &str, automatic: &mut Numbering) -> Result<Value> {
        let index = if name.is_empty() {
            Some(automatic.next()?)
        } else if name.bytes().all(|b| b.is_ascii_digit()) {
            automatic.forbid()?;
            name.parse().ok()
        } else {
            None
        };
        if let Some(index) = index {
            return self
                .positional
                .get(index)
                .cloned()
                .ok_or_else(|| error(format!("Replacement index {index} out of range for positional args tuple")));
        }
        let missing = || error(format!("KeyError: '{name}'"));
        match self.mapping {
            Some(mapping) => match py(mapping) {
                Py::Dict(dict) => dict.get(&Value::from(name)).cloned().ok_or_else(missing),
                _ => Err(error(format!("'{}' object is not subscriptable", type_name(mapping)))),
            },
            None => self.keywords.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).ok_or_else(missing),
        }
    }
}

/// `{}` counts, `{0}` names; one string may not do both.
#[derive(Default)]
struct Numbering {
    count: usize,
    explicit: bool,
}

impl Numbering {
    fn next(&mut self) -> Result<usize> {
        if self.explicit {
            return Err(error("cannot switch from manual field specification to automatic field numbering"));
        }
        self.count += 1;
        Ok(self.count - 1)
    }

    fn forbid(&mut self) -> Result<()> {
        if self.count > 0 {
            return Err(error("cannot switch from automatic field numbering to manual field specification"));
        }
        self.explicit = true;
        Ok(())
    }
}

pub fn format(text: &str, fields: &Fields) -> Result<String> {
    expand(text, fields, &mut Numbering::default(), 2)
}

fn expand(text: &str, fields: &Fields, numbering: &mut Numbering, depth: usize) -> Result<String> {
    if depth == 0 {
        return Err(error("Max string recursion exceeded"));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        repr::push(&mut out, &rest[..at])?;
        let brace = &rest[at..at + 1];
        let after = &rest[at + 1..];
        if let Some(escaped) = after.strip_prefix(brace) {
            repr::push(&mut out, brace)?;
            rest = escaped;
        } else if brace == "}" {
            return Err(error("Single '}' encountered in format string"));
        } else {
            let end = field_end(after)?;
            let (value, spec) = field(&after[..end], fields, numbering, depth)?;
            repr::push(&mut out, &format_value(&value, &spec)?)?;
            rest = &after[end + 1..];
        }
    }
    repr::push(&mut out, rest)?;
    Ok(out)
}

/// Where the field that starts at `text` closes.
fn field_end(text: &str) -> Result<usize> {
    let mut open = 1usize;
    let mut bracket = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' if open == 1 => bracket = true,
            b']' => bracket = false,
            b'{' if !bracket => open += 1,
            b'}' if !bracket => {
                open -= 1;
                if open == 0 {
                    return Ok(at);
                }
            }
            _ => {}
        }
    }
    Err(error(if text.is_empty() { "Single '{' encountered in format string" } else { "expected '}' before end of string" }))
}

/// The converted value of `name!conversion:spec` and its expanded spec.
fn field(text: &str, fields: &Fields, numbering: &mut Numbering, depth: usize) -> Result<(Value, String)> {
    let mut bracket = false;
    let end = text
        .find(|c| {
            bracket = c == '[' || (bracket && c != ']');
            !bracket && (c == '!' || c == ':')
        })
        .unwrap_or(text.len());
    let (name, tail) = text.split_at(end);
    let mut value = follow(name, fields, numbering)?;
    let spec = match tail.strip_prefix('!') {
        Some(conversion) => {
            let (kind, spec) = conversion.split_once(':').unwrap_or((conversion, ""));
            value = match kind {
                "s" => Value::from(repr::to_str(&value)?),
                "r" => Value::from(repr::to_repr(&value)?),
                "a" => Value::from(ascii(&repr::to_repr(&value)?)),
                _ => return Err(error(format!("Unknown conversion specifier '{kind}'"))),
            };
            spec
        }
        None => tail.strip_prefix(':').unwrap_or(""),
    };
    let spec = if spec.contains('{') { expand(spec, fields, numbering, depth - 1)? } else { spec.to_string() };
    Ok((value, spec))
}

/// `name.attribute[item]...`
fn follow(name: &str, fields: &Fields, numbering: &mut Numbering) -> Result<Value> {
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (first, mut rest) = name.split_at(end);
    let mut value = fields.lookup(first, numbering)?;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            if end == 0 {
                return Err(error("Empty attribute in format string"));
            }
            value = access::attribute(&value, &after[..end])?;
            rest = &after[end..];
        } else {
            let inside =
                rest.strip_prefix('[').ok_or_else(|| error("Only '.' or '[' may follow ']' in format field specifier"))?;
            let (key, after) = inside.split_once(']').ok_or_else(|| error("Missing ']' in format string"))?;
            let key = key.parse::<i64>().map_or_else(|_| Value::from(key), Value::from);
            value = access::item(&value, &key)?;
            rest = after;
        }
    }
    Ok(value)
}

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
