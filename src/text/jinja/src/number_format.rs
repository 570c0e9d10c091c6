//! Numbers as Python's `%` and `format()` spell them: fixed, exponent and general floats, bases, digit grouping.

use crate::memory;
use crate::value::{error, Result};

/// Widths and precisions of any honest template; the standard library's formatter panics above 65535.
pub const MAX_PRECISION: usize = 4096;

pub fn require_precision(precision: usize) -> Result<usize> {
    if precision > MAX_PRECISION {
        return Err(error(format!("precision {precision} is too large")));
    }
    Ok(precision)
}

/// The digits of |x| by one of Python's float types: e f g (either case of e and g), without sign.
pub fn float_digits(x: f64, kind: char, precision: usize, alternate: bool) -> String {
    let x = x.abs();
    let lower = kind.to_ascii_lowercase();
    let text = if x.is_nan() {
        "nan".to_string()
    } else if x.is_infinite() {
        "inf".to_string()
    } else {
        match lower {
            'e' => exponent(x, precision, alternate),
            'f' => fixed(x, precision, alternate),
            _ => general(x, precision.max(1), precision.max(1) as i32, alternate),
        }
    };
    if kind.is_ascii_uppercase() {
        text.to_uppercase()
    } else {
        text
    }
}

fn fixed(x: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{x:.precision$}");
    if alternate && precision == 0 {
        text + "."
    } else {
        text
    }
}

fn exponent(x: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{x:.precision$e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let point = if alternate && precision == 0 { "." } else { "" };
    format!("{mantissa}{point}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

/// `precision` significant digits; with an exponent when it is below -4 or at least `exponent_from`.
fn general(x: f64, precision: usize, exponent_from: i32, alternate: bool) -> String {
    let scientific = exponent(x, precision - 1, false);
    let power: i32 = scientific.split_once('e').and_then(|(_, p)| p.parse().ok()).unwrap_or(0);
    if power < -4 || power >= exponent_from {
        let (mantissa, tail) = scientific.split_once('e').unwrap_or((&scientific, "+00"));
        return format!("{}e{tail}", if alternate { mantissa } else { strip_zeros(mantissa) });
    }
    let decimals = (precision as i32 - 1 - power).max(0) as usize;
    let text = fixed(x, decimals, alternate);
    if alternate {
        text
    } else {
        strip_zeros(&text).to_string()
    }
}

fn strip_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// `format(x, '.3')`: general, but always recognisable as a float.
pub fn float_default_digits(x: f64, precision: usize) -> String {
    let x = x.abs();
    if !x.is_finite() {
        return float_digits(x, 'g', precision, false);
    }
    let precision = precision.max(1);
    let text = general(x, precision, precision as i32 - 1, false);
    if text.contains(['.', 'e']) {
        text
    } else {
        text + ".0"
    }
}

/// The digits of |n| in base 2, 8, 10 or 16, with the prefix where asked for.
pub fn int_digits(n: i128, kind: char) -> (&'static str, String) {
    let magnitude = n.unsigned_abs();
    match kind {
        'b' => ("0b", format!("{magnitude:b}")),
        'o' => ("0o", format!("{magnitude:o}")),
        'x' => ("0x", format!("{magnitude:x}")),
        'X' => ("0X", format!("{magnitude:X}")),
        _ => ("", magnitude.to_string()),
    }
}

/// Separators between groups of the digits before the point, and zeros in front (grouped too) up to `width`.
pub fn group(digits: &str, separator: char, size: usize, width: usize) -> Result<String> {
    memory::reserve(width.saturating_mul(2).saturating_add(digits.len()))?;
    let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    let (whole, rest) = digits.split_at(end);
    let mut reversed = Vec::with_capacity(width.max(whole.len() * 2));
    let mut count = 0;
    let mut source = whole.chars().rev();
    loop {
        let digit = match source.next() {
            Some(digit) => digit,
            None if reversed.len() + rest.len() < width => '0',
            None => break,
        };
        if count > 0 && count % size == 0 {
            reversed.push(separator);
        }
        reversed.push(digit);
        count += 1;
    }
    Ok(reversed.into_iter().rev().chain(rest.chars()).collect())
}

/// `text` in a field of `width` characters: '<' '>' '^', or '=' with the padding after the first `prefix` bytes (the sign).
pub fn pad(text: &str, width: usize, fill: char, align: char, prefix: usize) -> Result<String> {
    let missing = width.saturating_sub(text.chars().count());
    if missing == 0 {
        return Ok(text.to_string());
    }
    memory::reserve(missing.saturating_mul(fill.len_utf8()).saturating_add(text.len()))?;
    let fill = |n: usize| std::iter::repeat_n(fill, n).collect::<String>();
    Ok(match align {
        '<' => text.to_string() + &fill(missing),
        '^' => fill(missing / 2) + text + &fill(missing - missing / 2),
        '=' => text[..prefix].to_string() + &fill(missing) + &text[prefix..],
        _ => fill(missing) + text,
    })
}
