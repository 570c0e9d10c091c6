//! `json.dumps`, which is what transformers makes of jinja2's `tojson`: Python's separators, nothing escaped for HTML.

use std::fmt::Write;

use minijinja::value::Value;

use crate::args::{flag, text, Args};
use crate::memory;
use crate::ops;
use crate::repr::{float_repr, push, MAX_DEPTH};
use crate::value::{as_index, error, iterate, list_items, py, type_name, Dict, Py, Result};

struct Writer {
    out: String,
    ascii: bool,
    /// The text of one level; nothing for one line.
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
}

/// `tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`
pub fn filter(args: Args) -> Result<Value> {
    let [value, ascii, indent, separators, sort_keys] =
        args.bind(["x", "ensure_ascii", "indent", "separators", "sort_keys"], 1)?;
    let indent = indent_text(indent.filter(|v| !v.is_none()))?;
    let (item_separator, key_separator) = match separators.filter(|v| !v.is_none()) {
        Some(pair) => {
            let [item, key]: [Value; 2] =
                iterate(&pair)?.try_into().map_err(|_| error("separators must be a pair (item separator, key separator)"))?;
            (text(&Some(item), "")?.to_string(), text(&Some(key), "")?.to_string())
        }
        None => (if indent.is_some() { "," } else { ", " }.to_string(), ": ".to_string()),
    };
    let ascii = flag(&ascii, false);
    let mut writer =
        Writer { out: String::new(), ascii, indent, item_separator, key_separator, sort_keys: flag(&sort_keys, false) };
    writer.value(&value.unwrap_or_default(), 0)?;
    Ok(Value::from(writer.out))
}

fn indent_text(indent: Option<Value>) -> Result<Option<String>> {
    let Some(indent) = indent else { return Ok(None) };
    if let Some(text) = indent.as_str() {
        return Ok(Some(text.to_string()));
    }
    let Some(width) = as_index(&indent) else {
        return Err(error(format!("can't multiply sequence by non-int of type '{}'", type_name(&indent))));
    };
    let width = width.clamp(0, u32::MAX as i128) as usize;
    memory::reserve(width)?;
    Ok(Some(" ".repeat(width)))
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(error("maximum recursion depth exceeded while encoding a JSON object"));
        }
        match py(value) {
            Py::None => push(&mut self.out, "null"),
            Py::Bool(b) => push(&mut self.out, if b { "true" } else { "false" }),
            Py::Int(n) => push(&mut self.out, &n.to_string()),
            Py::Float(x) => push(&mut self.out, &float_text(x)),
            Py::Str(s) => self.string(s),
            Py::Tuple(items) => self.items(items, depth),
            Py::Dict(entries) => self.entries(entries, depth),
            _ => match list_items(value) {
                Some(items) => self.items(&items, depth),
                None => Err(error(format!("Object of type {} is not JSON serializable", type_name(value)))),
            },
        }
    }

    fn items(&mut self, items: &[Value], depth: usize) -> Result<()> {
        if items.is_empty() {
            return push(&mut self.out, "[]");
        }
        self.out.push('[');
        for (i, item) in items.iter().enumerate() {
            self.before_item(i, depth)?;
            self.value(item, depth + 1)?;
        }
        self.close(']', depth)
    }

    fn entries(&mut self, entries: &Dict, depth: usize) -> Result<()> {
        if entries.is_empty() {
            return push(&mut self.out, "{}");
        }
        self.out.push('{');
        let mut order: Vec<(&Value, &Value)> = entries.iter().collect();
        if self.sort_keys {
            crate::sort::sort(&mut order, |a, b| ops::compare("<", a.0, b.0))?;
        }
        for (i, (key, value)) in order.into_iter().enumerate() {
            self.before_item(i, depth)?;
            self.key(key)?;
            push(&mut self.out, &self.key_separator)?;
            self.value(value, depth + 1)?;
        }
        self.close('}', depth)
    }

    fn before_item(&mut self, index: usize, depth: usize) -> Result<()> {
        if index > 0 {
            push(&mut self.out, &self.item_separator)?;
        }
        self.new_line(depth + 1)
    }

    fn close(&mut self, bracket: char, depth: usize) -> Result<()> {
        self.new_line(depth)?;
        self.out.push(bracket);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) -> Result<()> {
        let Some(indent) = &self.indent else { return Ok(()) };
        memory::reserve(self.out.len().saturating_add(indent.len().saturating_mul(depth)))?;
        self.out.push('\n');
        for _ in 0..depth {
            self.out.push_str(indent);
        }
        Ok(())
    }

    /// Python's keys may also be numbers, booleans and None.
    fn key(&mut self, key: &Value) -> Result<()> {
        match py(key) {
            Py::Str(s) => self.string(s),
            Py::None => push(&mut self.out, "\"null\""),
            Py::Bool(b) => push(&mut self.out, if b { "\"true\"" } else { "\"false\"" }),
            Py::Int(n) => push(&mut self.out, &format!("\"{n}\"")),
            Py::Float(x) => push(&mut self.out, &format!("\"{}\"", float_text(x))),
            _ => Err(error(format!("keys must be str, int, float, bool or None, not {}", type_name(key)))),
        }
    }

    fn string(&mut self, s: &str) -> Result<()> {
        memory::reserve(self.out.len() + s.len() + 2)?;
        self.out.push('"');
        let mut plain = 0;
        for (at, c) in s.char_indices() {
            if !(matches!(c, '"' | '\\') || c < ' ' || self.ascii && !(' '..='~').contains(&c)) {
                continue;
            }
            self.out.push_str(&s[plain..at]);
            plain = at + c.len_utf8();
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\x08' => self.out.push_str("\\b"),
                '\x0c' => self.out.push_str("\\f"),
                _ => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
            }
        }
        self.out.push_str(&s[plain..]);
        self.out.push('"');
        Ok(())
    }
}

fn float_text(x: f64) -> String {
    if x.is_nan() {
        "NaN".into()
    } else if x.is_infinite() {
        if x > 0.0 {
            "Infinity".into()
        } else {
            "-Infinity".into()
        }
    } else {
        float_repr(x)
    }
}
