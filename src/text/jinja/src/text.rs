//! Text helpers shared by the string methods and the text filters.

/// `str.isspace` of one character.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Letters of the category Lt, such as U+01C5.
fn is_titlecase(c: char) -> bool {
    matches!(c as u32, 0x1c5 | 0x1c8 | 0x1cb | 0x1f2 | 0x1f88..=0x1f8f | 0x1f98..=0x1f9f | 0x1fa8..=0x1faf | 0x1fbc | 0x1fcc | 0x1ffc)
}

/// What begins a word in a title.
pub fn is_capital(c: char) -> bool {
    c.is_uppercase() || is_titlecase(c)
}

pub fn is_cased(c: char) -> bool {
    is_capital(c) || c.is_lowercase()
}

#[derive(Clone, Copy, PartialEq)]
pub enum Side {
    Left,
    Right,
    Both,
}

/// `strip`, `lstrip` and `rstrip`: blanks, or any of the given characters.
pub fn strip<'a>(s: &'a str, chars: Option<&str>, side: Side) -> &'a str {
    let drop = |c: char| chars.map_or_else(|| is_space(c), |set| set.contains(c));
    match side {
        Side::Left => s.trim_start_matches(drop),
        Side::Right => s.trim_end_matches(drop),
        Side::Both => s.trim_matches(drop),
    }
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// `str.splitlines`
pub fn split_lines(s: &str, keep_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = s;
    while !rest.is_empty() {
        let (line, end) = match rest.find(is_line_end) {
            None => (rest.len(), rest.len()),
            Some(at) if rest[at..].starts_with("\r\n") => (at, at + 2),
            Some(at) => (at, at + rest[at..].chars().next().map_or(1, char::len_utf8)),
        };
        lines.push(&rest[..if keep_ends { end } else { line }]);
        rest = &rest[end..];
    }
    lines
}

/// The titlecase of one character: mostly its uppercase, of which a ligature keeps only the first letter.
fn push_title(out: &mut String, c: char) {
    let code = c as u32;
    let plain = match code {
        0x1c4..=0x1cc => 0x1c5 + (code - 0x1c4) / 3 * 3,
        0x1f1..=0x1f3 => 0x1f2,
        // Georgian has capitals, but no titles.
        0x10d0..=0x10fa | 0x10fd..=0x10ff => code,
        // Greek with the iota below.
        0x1f80..=0x1faf => code | 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => code + 9,
        0x1fbc | 0x1fcc | 0x1ffc => code,
        _ => 0,
    };
    if let Some(c) = char::from_u32(plain).filter(|_| plain != 0) {
        return out.push(c);
    }
    let mut upper = c.to_uppercase();
    out.extend(upper.next());
    match code {
        0x149 => out.extend(upper),
        // Here the iota stays below.
        0x1f80..=0x1fff => out.extend(upper.map(|c| if c == '\u{399}' { '\u{345}' } else { c })),
        _ => out.extend(upper.flat_map(char::to_lowercase)),
    }
}

/// `str.capitalize`
pub fn capitalize(s: &str) -> String {
    recased(s, |at, _| at == 0)
}

/// `str.title`: the first cased letter of each run of cased letters goes up, the others down.
pub fn py_title(s: &str) -> String {
    recased(s, |_, before| !before.is_some_and(is_cased))
}

/// Titlecase where `starts` (byte position, character before it) says so, lowercase elsewhere.
fn recased(s: &str, starts: impl Fn(usize, Option<char>) -> bool) -> String {
    let mut before = None;
    with_lowercase(s, |out, at, c, lower| {
        if starts(at, before) {
            push_title(out, c);
        } else {
            out.push_str(lower);
        }
        before = Some(c);
    })
}

/// `str.swapcase`
pub fn swap_case(s: &str) -> String {
    with_lowercase(s, |out, _, c, lower| match c {
        _ if c.is_uppercase() => out.push_str(lower),
        _ if c.is_lowercase() => out.extend(c.to_uppercase()),
        _ => out.push(c),
    })
}

/// Calls `push` for each character with its position and its lowercase, which for a sigma depends on the whole text.
fn with_lowercase(s: &str, mut push: impl FnMut(&mut String, usize, char, &str)) -> String {
    let mut out = String::with_capacity(s.len());
    let lower = s.to_lowercase();
    let mut rest = lower.as_str();
    for (at, c) in s.char_indices() {
        let length = rest.chars().take(c.to_lowercase().count()).map(char::len_utf8).sum();
        push(&mut out, at, c, &rest[..length]);
        rest = &rest[length..];
    }
    out
}
