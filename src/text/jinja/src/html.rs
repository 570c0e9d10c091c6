//! markupsafe and the HTML-minded filters: escape, striptags, xmlattr, urlencode.

use minijinja::value::Value;

use crate::repr;
use crate::text::is_space;
use crate::value::{error, iterate, py, type_name, Py, Result};

/// The five characters of HTML as entities, spelled as markupsafe spells them.
pub fn escape(text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '\'', '"']) {
        repr::push(&mut out, &rest[..at])?;
        out.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'\'' => "&#39;",
            _ => "&#34;",
        });
        rest = &rest[at + 1..];
    }
    repr::push(&mut out, rest)?;
    Ok(out)
}

/// `markupsafe.escape(value)`: safe text stays as it is.
pub fn escape_value(value: &Value) -> Result<Value> {
    if value.is_safe() {
        return Ok(value.clone());
    }
    Ok(Value::from_safe_string(escape(&repr::to_str(value)?)?))
}

/// `Markup.striptags`: without comments and tags, blanks collapsed, entities resolved.
pub fn strip_tags(text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let without_comments = cut_all(text, "<!--", "-->");
    let without_tags = cut_all(&without_comments, "<", ">");
    for word in without_tags.split(is_space).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    Ok(unescape(&out))
}

/// `text` without its spans from `open` to the next `close`.
fn cut_all(text: &str, open: &str, close: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(open) {
        let Some(end) = rest[at..].find(close) else { break };
        out.push_str(&rest[..at]);
        rest = &rest[at + end + close.len()..];
    }
    out + rest
}

/// The entities that escaping makes, and numeric ones.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        let entity = tail.find(';').filter(|end| *end < 12).and_then(|end| Some((resolve(&tail[1..end])?, end)));
        match entity {
            Some((c, end)) => {
                out.push(c);
                rest = &tail[end + 1..];
            }
            None => {
                out.push('&');
                rest = &tail[1..];
            }
        }
    }
    out + rest
}

fn resolve(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

/// `xmlattr`: a dict as attributes, leaving out what is None or undefined.
pub fn xml_attributes(value: &Value, autospace: bool) -> Result<String> {
    let Py::Dict(entries) = py(value) else {
        return Err(error(format!("'{}' object has no attribute 'items'", type_name(value))));
    };
    let mut out = String::new();
    for (key, value) in entries.iter().filter(|(_, value)| !value.is_none() && !value.is_undefined()) {
        let name = key.as_str().ok_or_else(|| error("expected string or bytes-like object"))?;
        if name.contains(|c: char| c.is_ascii_whitespace() || matches!(c, '\x0b' | '/' | '>' | '=')) {
            return Err(error(format!("Invalid character in attribute name: {}", repr::to_repr(key)?)));
        }
        let value = escape_value(value)?;
        let separator = if autospace || !out.is_empty() { " " } else { "" };
        repr::push(&mut out, &format!("{separator}{}=\"{}\"", escape(name)?, value.as_str().unwrap_or_default()))?;
    }
    Ok(out)
}

/// `urlencode`: a string for a path, or pairs for a query string.
pub fn url_encode(value: &Value) -> Result<String> {
    let pairs = match py(value) {
        Py::Dict(entries) => entries.iter().map(|(k, v)| vec![k.clone(), v.clone()]).collect(),
        Py::List(_) | Py::Tuple(_) | Py::Other(_) | Py::Undefined => {
            iterate(value)?.iter().map(iterate).collect::<Result<Vec<_>>>()?
        }
        _ => return url_quote(&repr::to_str(value)?, false),
    };
    let mut out = String::new();
    for pair in pairs {
        let [key, value] = pair.as_slice() else { return Err(error("expected pairs to unpack")) };
        if !out.is_empty() {
            out.push('&');
        }
        let text = format!("{}={}", url_quote(&repr::to_str(key)?, true)?, url_quote(&repr::to_str(value)?, true)?);
        repr::push(&mut out, &text)?;
    }
    Ok(out)
}

fn url_quote(text: &str, for_query: bool) -> Result<String> {
    crate::memory::reserve(text.len().saturating_mul(3))?;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(byte as char),
            b'/' if !for_query => out.push('/'),
            b' ' if for_query => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(out)
}
