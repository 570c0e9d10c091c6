//! Python's operators. minijinja's own differ in what they accept (comparing a string with a number, searching a number in a
//! string, iterating None) and in `%` on strings, so the compiled template calls these instead (see patch.rs).

use std::cmp::Ordering;

use minijinja::value::Value;

use crate::html;
use crate::memory;
use crate::objects::Generator;
use crate::percent;
use crate::repr;
use crate::value::{
    as_float, as_index, error, int_value, iterate, list, list_items, py, require_hashable, tuple, type_name, undefined_error,
    Py, Result,
};

fn unsupported(op: &str, a: &Value, b: &Value) -> minijinja::Error {
    for value in [a, b] {
        if value.is_undefined() {
            return undefined_error(value);
        }
    }
    error(format!("unsupported operand type(s) for {op}: '{}' and '{}'", type_name(a), type_name(b)))
}

fn too_large() -> minijinja::Error {
    error("integer too large (beyond 128 bits)")
}

/// Two numbers, as integers where both are.
enum Numbers {
    Ints(i128, i128),
    Floats(f64, f64),
}

fn numbers(a: &Value, b: &Value) -> Option<Numbers> {
    match (as_index(a), as_index(b)) {
        (Some(x), Some(y)) => Some(Numbers::Ints(x, y)),
        _ => Some(Numbers::Floats(as_float(a)?, as_float(b)?)),
    }
}

pub fn add(a: &Value, b: &Value) -> Result<Value> {
    match (py(a), py(b)) {
        (Py::Str(x), Py::Str(y)) => concat_str(a, x, b, y),
        (Py::Tuple(x), Py::Tuple(y)) => Ok(tuple([x, y].concat())),
        _ => {
            if let (Some(x), Some(y)) = (list_items(a), list_items(b)) {
                memory::reserve_items(x.len() + y.len(), size_of::<Value>())?;
                return Ok(list([&*x, &*y].concat()));
            }
            match numbers(a, b) {
                Some(Numbers::Ints(x, y)) => x.checked_add(y).map(int_value).ok_or_else(too_large),
                Some(Numbers::Floats(x, y)) => Ok(Value::from(x + y)),
                None => Err(unsupported("+", a, b)),
            }
        }
    }
}

/// str + str; Markup escapes a plain operand on either side.
fn concat_str(a: &Value, x: &str, b: &Value, y: &str) -> Result<Value> {
    memory::reserve(x.len() + y.len())?;
    match (a.is_safe(), b.is_safe()) {
        (false, false) => Ok(Value::from([x, y].concat())),
        (true, true) => Ok(Value::from_safe_string([x, y].concat())),
        (true, false) => Ok(Value::from_safe_string([x, &html::escape(y)?].concat())),
        (false, true) => Ok(Value::from_safe_string([&html::escape(x)?, y].concat())),
    }
}

pub fn sub(a: &Value, b: &Value) -> Result<Value> {
    match numbers(a, b) {
        Some(Numbers::Ints(x, y)) => x.checked_sub(y).map(int_value).ok_or_else(too_large),
        Some(Numbers::Floats(x, y)) => Ok(Value::from(x - y)),
        None => Err(unsupported("-", a, b)),
    }
}

pub fn mul(a: &Value, b: &Value) -> Result<Value> {
    if let Some(product) = repeat(a, b).or_else(|| repeat(b, a)) {
        return product;
    }
    match numbers(a, b) {
        Some(Numbers::Ints(x, y)) => x.checked_mul(y).map(int_value).ok_or_else(too_large),
        Some(Numbers::Floats(x, y)) => Ok(Value::from(x * y)),
        None => Err(unsupported("*", a, b)),
    }
}

/// A sequence times an integer, nothing when the operands are something else.
fn repeat(sequence: &Value, count: &Value) -> Option<Result<Value>> {
    let n = as_index(count)?.clamp(0, u32::MAX as i128) as usize;
    if let Py::Str(s) = py(sequence) {
        return Some(memory::reserve(s.len().saturating_mul(n)).map(|()| crate::value::text_like(sequence, s.repeat(n))));
    }
    let (items, is_tuple) = match py(sequence) {
        Py::Tuple(items) => (items.into(), true),
        _ => (list_items(sequence)?, false),
    };
    Some(memory::reserve_items(items.len().saturating_mul(n), size_of::<Value>()).map(|()| {
        let repeated = std::iter::repeat_n(&*items, n).flatten().cloned().collect();
        if is_tuple {
            tuple(repeated)
        } else {
            list(repeated)
        }
    }))
}

pub fn div(a: &Value, b: &Value) -> Result<Value> {
    let (Some(x), Some(y)) = (as_float(a), as_float(b)) else { return Err(unsupported("/", a, b)) };
    if y == 0.0 {
        return Err(error("division by zero"));
    }
    Ok(Value::from(x / y))
}

pub fn floor_div(a: &Value, b: &Value) -> Result<Value> {
    match numbers(a, b) {
        Some(Numbers::Ints(_, 0)) => Err(error("integer division or modulo by zero")),
        Some(Numbers::Ints(x, y)) => {
            let quotient = x.checked_div(y).ok_or_else(too_large)?;
            let inexact = x % y != 0 && (x < 0) != (y < 0);
            Ok(int_value(quotient - inexact as i128))
        }
        Some(Numbers::Floats(_, 0.0)) => Err(error("float floor division by zero")),
        Some(Numbers::Floats(x, y)) => Ok(Value::from(float_divmod(x, y).0)),
        None => Err(unsupported("//", a, b)),
    }
}

pub fn rem(a: &Value, b: &Value) -> Result<Value> {
    if let Py::Str(format) = py(a) {
        return Ok(Value::from(percent::format(format, b)?));
    }
    match numbers(a, b) {
        Some(Numbers::Ints(_, 0)) => Err(error("integer modulo by zero")),
        Some(Numbers::Ints(x, y)) => {
            let remainder = x.checked_rem(y).unwrap_or(0);
            let wrong_sign = remainder != 0 && (remainder < 0) != (y < 0);
            Ok(int_value(if wrong_sign { remainder + y } else { remainder }))
        }
        Some(Numbers::Floats(_, 0.0)) => Err(error("float modulo")),
        Some(Numbers::Floats(x, y)) => Ok(Value::from(float_divmod(x, y).1)),
        None => Err(unsupported("%", a, b)),
    }
}

/// Python's divmod of floats: the remainder has the sign of the divisor.
fn float_divmod(x: f64, y: f64) -> (f64, f64) {
    let mut remainder = x % y;
    let mut quotient = (x - remainder) / y;
    if remainder != 0.0 {
        if (remainder < 0.0) != (y < 0.0) {
            remainder += y;
            quotient -= 1.0;
        }
    } else {
        remainder = 0f64.copysign(y);
    }
    let floor = if quotient == 0.0 { 0f64.copysign(x / y) } else { quotient.floor() };
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, remainder)
}

pub fn pow(a: &Value, b: &Value) -> Result<Value> {
    match numbers(a, b) {
        Some(Numbers::Ints(x, y)) if y >= 0 => int_pow(x, y),
        Some(Numbers::Ints(0, _)) => Err(error("0.0 cannot be raised to a negative power")),
        Some(Numbers::Ints(x, y)) => Ok(Value::from((x as f64).powf(y as f64))),
        Some(Numbers::Floats(x, y)) if x == 0.0 && y < 0.0 => Err(error("0.0 cannot be raised to a negative power")),
        Some(Numbers::Floats(x, y)) if x < 0.0 && y.fract() != 0.0 => Err(error("complex numbers are not supported")),
        Some(Numbers::Floats(x, y)) => match x.powf(y) {
            z if z.is_infinite() && x.is_finite() && y.is_finite() => Err(error("Numerical result out of range")),
            z => Ok(Value::from(z)),
        },
        None => Err(unsupported("** or pow()", a, b)),
    }
}

fn int_pow(x: i128, y: i128) -> Result<Value> {
    let result = match x {
        0 | 1 => {
            if y == 0 {
                1
            } else {
                x
            }
        }
        -1 => {
            if y % 2 == 0 {
                1
            } else {
                -1
            }
        }
        _ => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)).ok_or_else(too_large)?,
    };
    Ok(int_value(result))
}

pub fn neg(a: &Value) -> Result<Value> {
    match py(a) {
        Py::Float(x) => Ok(Value::from(-x)),
        Py::Undefined => Err(undefined_error(a)),
        _ => match as_index(a) {
            Some(n) => n.checked_neg().map(int_value).ok_or_else(too_large),
            None => Err(error(format!("bad operand type for unary -: '{}'", type_name(a)))),
        },
    }
}

/// `a ~ b`: both printed, one after the other.
pub fn concat(a: &Value, b: &Value) -> Result<Value> {
    let mut text = repr::to_str(a)?;
    repr::write_str(&mut text, b)?;
    Ok(Value::from(text))
}

pub fn eq(a: &Value, b: &Value) -> bool {
    // A generator equals itself only; minijinja would compare the items, which uses them up.
    let lazy = |v: &Value| v.downcast_object_ref::<Generator>().is_some();
    lazy(a) == lazy(b) && a == b
}

/// The four orderings. `op` is the operator as written, for the message.
pub fn less_or_greater(op: &str, a: &Value, b: &Value) -> Result<bool> {
    Ok(match (compare(op, a, b)?, op) {
        (None, _) => false,
        (Some(order), "<") => order.is_lt(),
        (Some(order), "<=") => order.is_le(),
        (Some(order), ">") => order.is_gt(),
        (Some(order), _) => order.is_ge(),
    })
}

/// Nothing when either is NaN.
pub fn compare(op: &str, a: &Value, b: &Value) -> Result<Option<Ordering>> {
    match (py(a), py(b)) {
        (Py::Str(x), Py::Str(y)) => Ok(Some(x.cmp(y))),
        (Py::Tuple(x), Py::Tuple(y)) => compare_items(op, x, y),
        _ => {
            if let (Some(x), Some(y)) = (list_items(a), list_items(b)) {
                return compare_items(op, &x, &y);
            }
            match numbers(a, b) {
                Some(Numbers::Ints(x, y)) => Ok(Some(x.cmp(&y))),
                Some(Numbers::Floats(x, y)) => Ok(x.partial_cmp(&y)),
                None if a.is_undefined() => Err(undefined_error(a)),
                None if b.is_undefined() => Err(undefined_error(b)),
                None => {
                    Err(error(format!("'{op}' not supported between instances of '{}' and '{}'", type_name(a), type_name(b))))
                }
            }
        }
    }
}

fn compare_items(op: &str, x: &[Value], y: &[Value]) -> Result<Option<Ordering>> {
    match x.iter().zip(y).find(|(a, b)| !eq(a, b)) {
        Some((a, b)) => compare(op, a, b),
        None => Ok(Some(x.len().cmp(&y.len()))),
    }
}

/// `item in container`
pub fn contains(item: &Value, container: &Value) -> Result<bool> {
    match py(container) {
        Py::Str(text) => match py(item) {
            Py::Str(needle) => Ok(text.contains(needle)),
            _ => Err(error(format!("'in <string>' requires string as left operand, not {}", type_name(item)))),
        },
        Py::Dict(dict) => require_hashable(item).map(|()| dict.contains_key(item)),
        Py::List(items) | Py::Tuple(items) => Ok(items.iter().any(|x| eq(x, item))),
        Py::Other(object) => match object.downcast_ref::<Generator>() {
            Some(generator) => Ok(std::iter::from_fn(|| generator.next()).any(|x| eq(&x, item))),
            None => iterate(container).map(|items| items.iter().any(|x| eq(x, item))),
        },
        Py::Undefined => Ok(false),
        _ => Err(error(format!("argument of type '{}' is not iterable", type_name(container)))),
    }
}
