//! `textwrap.wrap` as `wordwrap` uses it, and one-line `pprint.pformat`.

use minijinja::value::Value;

use crate::ops;
use crate::repr::{push, to_repr, MAX_DEPTH};
use crate::text::{is_space, split_lines};
use crate::value::{dict, error, list, py, tuple, Py, Result};

pub struct Style {
    pub width: usize,
    pub break_long_words: bool,
    pub break_on_hyphens: bool,
}

/// Wraps each line of `text` on its own and joins everything with `joint`.
pub fn wrap(text: &str, style: &Style, joint: &str) -> Result<String> {
    let mut out = String::new();
    for (i, line) in split_lines(text, false).into_iter().enumerate() {
        if i > 0 {
            push(&mut out, joint)?;
        }
        for (j, wrapped) in wrap_line(line, style).into_iter().enumerate() {
            if j > 0 {
                push(&mut out, joint)?;
            }
            push(&mut out, &wrapped)?;
        }
    }
    Ok(out)
}

fn chars(s: &str) -> usize {
    s.chars().count()
}

fn is_blank(chunk: &str) -> bool {
    chunk.chars().all(is_space)
}

fn wrap_line(line: &str, style: &Style) -> Vec<String> {
    let mut chunks: Vec<&str> = split_chunks(line, style.break_on_hyphens);
    chunks.reverse();
    let mut lines = Vec::new();
    while !chunks.is_empty() {
        if !lines.is_empty() && chunks.last().is_some_and(|chunk| is_blank(chunk)) {
            chunks.pop();
        }
        let mut current: Vec<&str> = Vec::new();
        let mut used = 0;
        while let Some(chunk) = chunks.last().filter(|chunk| used + chars(chunk) <= style.width) {
            used += chars(chunk);
            current.push(chunk);
            chunks.pop();
        }
        if let Some(long) = chunks.last().copied().filter(|chunk| chars(chunk) > style.width) {
            break_long(long, style, &mut chunks, &mut current, used);
        }
        if current.last().is_some_and(|chunk| is_blank(chunk)) {
            current.pop();
        }
        if !current.is_empty() {
            lines.push(current.concat());
        }
    }
    lines
}

/// A chunk longer than a line: cut where the line ends (at a hyphen where there is one), or left whole on its own line.
fn break_long<'a>(long: &'a str, style: &Style, chunks: &mut Vec<&'a str>, current: &mut Vec<&'a str>, used: usize) {
    let space_left = style.width.saturating_sub(used);
    if style.break_long_words {
        let byte = |n: usize| long.char_indices().nth(n).map_or(long.len(), |(at, _)| at);
        let mut end = byte(space_left);
        if style.break_on_hyphens && chars(long) > space_left {
            if let Some(hyphen) = long[..end].rfind('-') {
                if hyphen > 0 && long[..hyphen].chars().any(|c| c != '-') {
                    end = hyphen + 1;
                }
            }
        }
        current.push(&long[..end]);
        if let Some(last) = chunks.last_mut() {
            *last = &long[end..];
        }
    } else if current.is_empty() {
        current.push(long);
        chunks.pop();
    }
}

/// Words and the blanks between them; with hyphens, also the parts of compound words.
fn split_chunks(line: &str, hyphens: bool) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let blank = is_blank_char(first);
        let end = rest.find(|c| is_blank_char(c) != blank).unwrap_or(rest.len());
        let (chunk, after) = rest.split_at(end);
        if blank || !hyphens {
            chunks.push(chunk);
        } else {
            split_hyphens(chunk, &mut chunks);
        }
        rest = after;
    }
    chunks
}

/// textwrap knows ASCII blanks only.
fn is_blank_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' ')
}

/// Cuts after a hyphen that has two letters (or a letter, a hyphen and a letter) before it and a letter after it that does not
/// stand alone, and before and after dashes of two and more between words.
fn split_hyphens<'a>(word: &'a str, chunks: &mut Vec<&'a str>) {
    let chars: Vec<(usize, char)> = word.char_indices().collect();
    let at = |i: usize| chars.get(i).map(|(_, c)| *c);
    let back = |i: usize, n: usize| i.checked_sub(n).and_then(at);
    let letter = |c: Option<char>| c.is_some_and(|c| (c.is_alphanumeric() && !c.is_numeric()) || c == '_');
    let word_char = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let punctuated = |c: Option<char>| word_char(c) || c.is_some_and(|c| "!\"'&.,?".contains(c));
    let dash = |c: Option<char>| c == Some('-');
    let mut start = 0;
    let mut cut = |i: usize| {
        let end = chars.get(i).map_or(word.len(), |(at, _)| *at);
        if end > start {
            chunks.push(&word[start..end]);
            start = end;
        }
    };
    let mut i = 0;
    while i < chars.len() {
        let run = (i..).take_while(|j| dash(at(*j))).count();
        if run >= 2 && punctuated(back(i, 1)) && word_char(at(i + run)) {
            cut(i);
            cut(i + run);
        } else if run >= 1 {
            let before = letter(back(i, 1)) && (letter(back(i, 2)) || dash(back(i, 2)) && letter(back(i, 3)));
            let after = letter(at(i + 1)) && (letter(at(i + 2)) || dash(at(i + 2)) && letter(at(i + 3)));
            if before && after {
                cut(i + 1);
            }
        }
        i += run.max(1);
    }
    cut(chars.len());
}

/// `pprint.pformat(value)` of what fits one line: `repr` with sorted keys. How Python breaks longer ones is not followed.
pub fn pretty(value: &Value) -> Result<String> {
    let text = to_repr(&sorted_keys(value, 0)?)?;
    if chars(&text) > 80 {
        return Err(error("pprint of more than one line is not supported"));
    }
    Ok(text)
}

fn sorted_keys(value: &Value, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        return Err(error("maximum recursion depth exceeded"));
    }
    let nested = |item: &Value| sorted_keys(item, depth + 1);
    Ok(match py(value) {
        Py::Dict(entries) => {
            let mut pairs: Vec<(Value, Value)> =
                entries.iter().map(|(key, item)| Ok((key.clone(), nested(item)?))).collect::<Result<_>>()?;
            crate::sort::sort(&mut pairs, |a, b| Ok(ops::compare("<", &a.0, &b.0).unwrap_or(None)))?;
            dict(pairs.into_iter().collect())
        }
        Py::List(items) => list(items.iter().map(nested).collect::<Result<_>>()?),
        Py::Tuple(items) => tuple(items.iter().map(nested).collect::<Result<_>>()?),
        _ => value.clone(),
    })
}
