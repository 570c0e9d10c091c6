//! jinja2's `urlize`: links out of the URLs and addresses of a text.

use minijinja::value::Value;

use crate::args::{flag, int, is_given, require_str, text, Args};
use crate::html;
use crate::repr;
use crate::text::is_space;
use crate::value::{error, iterate, Result};

/// Where bare domains are taken for links.
const KNOWN_ENDS: &[&str] = &["com", "net", "int", "edu", "gov", "org", "info", "mil"];

struct Style {
    limit: Option<usize>,
    attributes: String,
    schemes: Vec<String>,
}

pub fn urlize(args: Args) -> Result<Value> {
    let [value, limit, nofollow, target, rel, schemes] =
        args.bind(["value", "trim_url_limit", "nofollow", "target", "rel", "extra_schemes"], 1)?;
    let [target, rel] = [target, rel].map(|v| v.filter(|v| !v.is_none()));
    let mut words: Vec<&str> = text(&rel, "")?.split_whitespace().collect();
    words.push("noopener");
    words.extend(flag(&nofollow, false).then_some("nofollow"));
    words.sort_unstable();
    words.dedup();
    let mut attributes = format!(" rel=\"{}\"", html::escape(&words.join(" "))?);
    if let Some(target) = target.filter(Value::is_true) {
        attributes += &format!(" target=\"{}\"", html::escape(require_str(&target)?)?);
    }
    let limit = is_given(&limit).then(|| int(&limit, 0)).transpose()?.map(|n| n.max(0) as usize);
    let schemes = match schemes.filter(|s| !s.is_none()) {
        Some(schemes) => iterate(&schemes)?.iter().map(scheme).collect::<Result<_>>()?,
        None => Vec::new(),
    };
    let style = Style { limit, attributes, schemes };
    let escaped = html::escape_value(&value.unwrap_or_default())?;
    linked(escaped.as_str().unwrap_or_default(), &style).map(Value::from)
}

fn scheme(value: &Value) -> Result<String> {
    let name = require_str(value)?;
    let (word, slashes) = name.split_once(':').unwrap_or((name, "///"));
    let is_word = word.chars().count() >= 2 && word.chars().all(|c| is_word(c) || "+.-".contains(c));
    if !is_word || !["", "/", "//"].contains(&slashes) {
        return Err(error(format!("{} is not a valid URI scheme prefix.", repr::to_repr(value)?)));
    }
    Ok(name.to_string())
}

fn linked(text: &str, style: &Style) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_space(c) != is_space(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if is_space(first) {
            repr::push(&mut out, run)?;
        } else {
            link_word(&mut out, run, style)?;
        }
        rest = after;
    }
    Ok(out)
}

fn link_word(out: &mut String, word: &str, style: &Style) -> Result<()> {
    let start = word.len() - trimmed_start(word).len();
    let (head, rest) = word.split_at(start);
    let mut end = trimmed_end(rest).len();
    // What was opened inside is closed inside.
    for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
        let opened = rest[..end].matches(open).count();
        if opened > rest[..end].matches(close).count() {
            let moved = rest[end..].match_indices(close).take(opened).last();
            end += moved.map_or(0, |(at, _)| at + close.len());
        }
    }
    let (middle, tail) = rest.split_at(end);
    repr::push(out, head)?;
    repr::push(out, &link(middle, style))?;
    repr::push(out, tail)
}

fn trimmed_start(mut word: &str) -> &str {
    while let Some(rest) = ["(", "<", "&lt;"].iter().find_map(|open| word.strip_prefix(open)) {
        word = rest;
    }
    word
}

fn trimmed_end(mut word: &str) -> &str {
    while let Some(rest) = [")", ">", ".", ",", "&gt;"].iter().find_map(|close| word.strip_suffix(close)) {
        word = rest;
    }
    word
}

fn link(word: &str, style: &Style) -> String {
    let Style { limit, attributes, schemes } = style;
    if is_url(word) {
        let shown = match limit {
            Some(limit) if word.chars().count() > *limit => word.chars().take(*limit).chain("...".chars()).collect(),
            _ => word.to_string(),
        };
        let missing = if word.starts_with("https://") || word.starts_with("http://") { "" } else { "https://" };
        return format!("<a href=\"{missing}{word}\"{attributes}>{shown}</a>");
    }
    if let Some(address) = word.strip_prefix("mailto:").filter(|address| is_address(address)) {
        return format!("<a href=\"{word}\">{address}</a>");
    }
    if is_address(word) && !word.starts_with("www.") && !word.starts_with('@') && !word.contains(':') {
        return format!("<a href=\"mailto:{word}\">{word}</a>");
    }
    match schemes.iter().any(|scheme| word != scheme && word.starts_with(scheme.as_str())) {
        true => format!("<a href=\"{word}\"{attributes}>{word}</a>"),
        false => word.to_string(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_address(word: &str) -> bool {
    let Some((name, domain)) = word.rsplit_once('@') else { return false };
    let Some((first, last)) = domain.rsplit_once('.') else { return false };
    let is_inside = |c: char| is_word(c) || c == '.' || c == '-';
    !name.is_empty()
        && first.starts_with(is_word)
        && first.chars().all(is_inside)
        && !last.is_empty()
        && last.chars().all(is_word)
}

fn is_url(word: &str) -> bool {
    let lower = word.to_lowercase();
    let scheme = ["https://", "http://"].iter().find_map(|scheme| lower.strip_prefix(scheme));
    let host_of = |rest: &str| {
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let port = authority.rfind(':').filter(|at| is_number(&authority[at + 1..], 5));
        authority[..port.unwrap_or(authority.len())].to_string()
    };
    if let Some(rest) = scheme.or_else(|| lower.strip_prefix("www.")) {
        let host = host_of(rest);
        let (labels, end) = host.rsplit_once('.').map_or((None, host.as_str()), |(labels, end)| (Some(labels), end));
        if labels.is_none_or(|labels| labels.split('.').all(|label| is_label(label, 1..=usize::MAX))) && is_top_level(end) {
            return true;
        }
    }
    if scheme.map(host_of).is_some_and(|host| is_ipv4(&host) || is_ipv6(&host)) {
        return true;
    }
    let host = host_of(&lower);
    let known = host.rsplit_once('.').filter(|(_, end)| KNOWN_ENDS.contains(end));
    known.is_some_and(|(labels, _)| labels.split('.').all(|label| is_label(label, 2..=63)))
}

fn is_label(label: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&label.chars().count()) && label.chars().all(|c| is_word(c) || c == '%' || c == '-')
}

fn is_top_level(end: &str) -> bool {
    match end.strip_prefix("xn--") {
        Some(coded) => (2..=59).contains(&coded.chars().count()) && coded.chars().all(|c| is_word(c) || c == '%'),
        None => (2..=63).contains(&end.len()) && end.bytes().all(|b| b.is_ascii_lowercase()),
    }
}

fn is_number(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_ipv4(host: &str) -> bool {
    host.split('.').count() == 4 && host.split('.').all(|part| is_number(part, 3))
}

/// Groups of up to four digits, two to eight of them with colons behind.
fn is_ipv6(host: &str) -> bool {
    let Some(groups) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return false };
    let n_groups = groups.split(':').count();
    (3..=9).contains(&n_groups)
        && groups.split(':').all(|group| group.len() <= 4 && group.bytes().all(|b| b.is_ascii_hexdigit()))
}
