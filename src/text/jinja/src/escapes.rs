//! Python's escapes in string literals, where minijinja's differ: spelled so that minijinja reads what Python means.

use std::fmt::Write;

/// A string literal, quotes included, in minijinja's spelling; nothing where it means the same in both. Err: what is wrong.
pub fn respell(literal: &str) -> Result<Option<String>, String> {
    let mut out = String::with_capacity(literal.len());
    let mut differs = false;
    let mut rest = literal;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let kind = rest[at + 1..].chars().next().unwrap_or_default();
        let mut length = 1 + kind.len_utf8();
        let before = out.len();
        match kind {
            'a' => out.push('\x07'),
            'v' => out.push('\x0b'),
            '/' => out.push_str("\\\\/"),
            '\n' => {}
            'U' => {
                let digits = rest.get(at + 2..at + 10);
                let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let c = code.and_then(char::from_u32).ok_or("illegal Unicode character in a \\UXXXXXXXX escape")?;
                push_quoted(&mut out, c);
                length = 10;
            }
            'N' => return Err("\\N{...} escapes are not known here; write the character itself".to_string()),
            _ => out.push_str(&rest[at..at + length]),
        }
        differs |= out[before..] != rest[at..at + length];
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Ok(differs.then_some(out))
}

/// A character that may be a quote, a backslash or a line end.
fn push_quoted(out: &mut String, c: char) {
    let _ = if c.is_ascii() { write!(out, "\\x{:02x}", c as u32) } else { write!(out, "{c}") };
}
