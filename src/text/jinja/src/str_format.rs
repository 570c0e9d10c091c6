//! `"...".format(...)` and `format_map`: replacement fields with attribute and item paths, conversions and nested specs, under
//! the sandbox's access rules.

use minijinja::value::Value;

use crate::access;
use crate::format_spec::format_value;
use crate::percent::ascii;
use crate::repr;
use crate::value::{error, py, type_name, Py, Result};

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
