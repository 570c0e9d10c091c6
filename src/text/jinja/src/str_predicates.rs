//! The `is...` methods of `str`.

use crate::repr::is_printable;
use crate::text::{is_capital, is_cased, is_space};

/// `s.name()` for every name that starts with "is".
pub fn holds(s: &str, name: &str) -> bool {
    let all = |test: fn(char) -> bool| !s.is_empty() && s.chars().all(test);
    match name {
        "isalnum" => all(|c| c.is_alphanumeric()),
        "isalpha" => all(|c| c.is_alphabetic()),
        "isascii" => s.is_ascii(),
        "isdecimal" => all(|c| decimal_value(c).is_some()),
        "isdigit" => all(|c| decimal_value(c).is_some() || is_other_digit(c)),
        "isidentifier" => {
            s.chars().next().is_some_and(|c| c == '_' || c.is_alphabetic())
                && s.chars().all(|c| c == '_' || c.is_alphanumeric())
        }
        "islower" => s.chars().any(is_cased) && !s.chars().any(is_capital),
        "isnumeric" => all(|c| c.is_numeric()),
        "isprintable" => s.chars().all(is_printable),
        "isspace" => all(is_space),
        "istitle" => is_title(s),
        _ => s.chars().any(char::is_uppercase) && s.chars().all(|c| c.is_uppercase() || !is_cased(c)),
    }
}

/// The value of a decimal digit of any script.
pub fn decimal_value(c: char) -> Option<u32> {
    /// The zeros outside ASCII (Unicode 14, category Nd); nine more digits follow each.
    const ZEROS: &[u32] = &[
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20, 0x1040,
        0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0,
        0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0,
        0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8,
        0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
    ];
    let code = c as u32;
    if c.is_ascii() {
        return c.to_digit(10);
    }
    let at = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?;
    (code - ZEROS[at] < 10).then(|| code - ZEROS[at])
}

/// Digits that no decimal number is written with: superscripts, circled ones and the like.
fn is_other_digit(c: char) -> bool {
    const RANGES: &[(u32, u32)] = &[
        (0xb2, 0xb3),
        (0xb9, 0xb9),
        (0x1369, 0x1371),
        (0x19da, 0x19da),
        (0x2070, 0x2070),
        (0x2074, 0x2079),
        (0x2080, 0x2089),
        (0x2460, 0x2468),
        (0x2474, 0x247c),
        (0x2488, 0x2490),
        (0x24ea, 0x24ea),
        (0x24f5, 0x24fd),
        (0x24ff, 0x24ff),
        (0x2776, 0x277e),
        (0x2780, 0x2788),
        (0x278a, 0x2792),
        (0x10a40, 0x10a43),
        (0x10e60, 0x10e68),
        (0x11052, 0x1105a),
        (0x1f100, 0x1f10a),
    ];
    RANGES.iter().any(|(first, last)| (*first..=*last).contains(&(c as u32)))
}

fn is_title(s: &str) -> bool {
    let mut after_cased = false;
    let mut any = false;
    for c in s.chars() {
        if is_capital(c) && after_cased || c.is_lowercase() && !after_cased {
            return false;
        }
        after_cased = is_cased(c);
        any |= after_cased;
    }
    any
}
