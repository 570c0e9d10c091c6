//! The `is...` methods of `str`.

use crate::repr::is_printable;
use crate::text::{is_cased, is_space};

/// `s.name()` for every name that starts with "is".
pub fn holds(s: &str, name: &str) -> bool {
    let all = |test: fn(char) -> bool| !s.is_empty() && s.chars().all(test);
    match name {
        "isalnum" => all(|c| c.is_alphanumeric()),
        "isalpha" => all(|c| c.is_alphabetic()),
        "isascii" => s.is_ascii(),
        "isdecimal" => all(|c| c.is_ascii_digit() || (!c.is_ascii() && is_decimal(c))),
        "isdigit" => all(|c| c.is_ascii_digit() || "⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉".contains(c) || (!c.is_ascii() && is_decimal(c))),
        "isidentifier" => {
            s.chars().next().is_some_and(|c| c == '_' || c.is_alphabetic())
                && s.chars().all(|c| c == '_' || c.is_alphanumeric())
        }
        "islower" => s.chars().any(is_cased) && !s.chars().any(char::is_uppercase),
        "isnumeric" => all(|c| c.is_numeric()),
        "isprintable" => s.chars().all(is_printable),
        "isspace" => all(is_space),
        "istitle" => is_title(s),
        _ => s.chars().any(is_cased) && !s.chars().any(char::is_lowercase),
    }
}

/// Decimal digits outside ASCII come in runs of ten numerics that start at a multiple of 16 or at 6 above one; the common
/// scripts are listed.
fn is_decimal(c: char) -> bool {
    const ZEROS: &[u32] = &[
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040,
        0x17e0, 0x1810, 0xa620, 0xff10,
    ];
    ZEROS.iter().any(|zero| (*zero..zero + 10).contains(&(c as u32)))
}

fn is_title(s: &str) -> bool {
    let mut after_cased = false;
    let mut any = false;
    for c in s.chars() {
        if c.is_uppercase() && after_cased || c.is_lowercase() && !after_cased {
            return false;
        }
        after_cased = is_cased(c);
        any |= after_cased;
    }
    any
}
