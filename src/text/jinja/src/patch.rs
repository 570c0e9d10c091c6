//! Gives a compiled template Python's operators: the instructions whose meaning differs in minijinja are replaced by calls of
//! filters whose names (such as "+") no template can spell.

use minijinja::machinery::{Instruction, Instructions};
use minijinja::value::Value;
use minijinja::Environment;

use crate::access;
use crate::globals::private_name;
use crate::layout::{self, filter};
use crate::lookahead::LITERAL;
use crate::macros::{self, Macro};
use crate::methods;
use crate::ops;
use crate::value::{require_hashable, tuple, Result};

pub fn add_operators(env: &mut Environment) {
    env.add_filter("+", |a: Value, b: Value| ops::add(&a, &b));
    env.add_filter("-", |a: Value, b: Value| ops::sub(&a, &b));
    env.add_filter("*", |a: Value, b: Value| ops::mul(&a, &b));
    env.add_filter("/", |a: Value, b: Value| ops::div(&a, &b));
    env.add_filter("//", |a: Value, b: Value| ops::floor_div(&a, &b));
    env.add_filter("%", |a: Value, b: Value| ops::rem(&a, &b));
    env.add_filter("**", |a: Value, b: Value| ops::pow(&a, &b));
    env.add_filter("~", |a: Value, b: Value| ops::concat(&a, &b));
    env.add_filter("@-", |a: Value| ops::neg(&a));
    for op in ["==", "!=", "<", "<=", ">", ">=", "in", "!in"] {
        env.add_filter(op, move |a: Value, b: Value| compare(op, &a, &b));
        // The right operand stays for the next link of `a < b < c`.
        env.add_filter(chained(op), move |a: Value, b: Value| -> Result<Value> {
            let result = Value::from(compare(op, &a, &b)?);
            Ok(tuple(vec![result, b]))
        });
    }
    env.add_filter(".", |object: Value, name: String| access::attribute(&object, &name));
    env.add_filter("[]", |object: Value, key: Value| access::item(&object, &key));
    env.add_filter("[:]", |object: Value, a: Value, b: Value, c: Value| access::slice(&object, &a, &b, &c));
    env.add_filter("@macro", |native: Value, signature: Value| Macro::wrap(native, &signature));
    env.add_filter("@received", macros::received);
    env.add_filter("@dict", |entries: Value| -> Result<Value> {
        entries.try_iter()?.try_for_each(|key| require_hashable(&key)).map(|()| entries)
    });
    env.add_filter("@for", |iterable: Value| access::for_loop(&iterable));
    env.add_filter("=", |value: Value| access::unpack(&value));
    env.add_filter(".=", |name: String| private_name(&name));
}

fn compare(op: &str, a: &Value, b: &Value) -> Result<bool> {
    match op {
        "==" => Ok(ops::eq(a, b)),
        "!=" => Ok(!ops::eq(a, b)),
        "in" => ops::contains(a, b),
        "!in" => ops::contains(a, b).map(|found| !found),
        _ => ops::less_or_greater(op, a, b),
    }
}

fn chained(op: &str) -> &'static str {
    match op {
        "==" => "==&",
        "!=" => "!=&",
        "<" => "<&",
        "<=" => "<=&",
        ">" => ">&",
        ">=" => ">=&",
        "in" => "in&",
        _ => "!in&",
    }
}

/// The same program with Python's operators, and with jinja2's scopes and macros.
pub fn patch<'s>(program: &Instructions<'s>) -> Instructions<'s> {
    layout::rewrite(program, replace)
}

fn replace<'s>(instruction: &Instruction<'s>) -> Vec<Instruction<'s>> {
    use minijinja::machinery::Instruction as I;
    let call = |name, arguments| vec![filter(name, arguments)];
    match instruction {
        I::Add => call("+", 2),
        I::Sub => call("-", 2),
        I::Mul => call("*", 2),
        I::Div => call("/", 2),
        I::IntDiv => call("//", 2),
        I::Rem => call("%", 2),
        I::Pow => call("**", 2),
        I::Neg => call("@-", 1),
        I::StringConcat => call("~", 2),
        I::Eq => call("==", 2),
        I::Ne => call("!=", 2),
        I::Lt => call("<", 2),
        I::Lte => call("<=", 2),
        I::Gt => call(">", 2),
        I::Gte => call(">=", 2),
        I::In => call("in", 2),
        I::CompareAndPreserve(op) => vec![filter(chained(spelling(&format!("{op:?}"))), 2), I::UnpackList(2)],
        I::ApplyFilter(name, ..) if *name == LITERAL => Vec::new(),
        I::GetItem => call("[]", 2),
        I::Slice => call("[:]", 4),
        I::GetAttr(name) if methods::all_names().any(|method| method == *name) => {
            vec![I::LoadConst(Value::from(*name)), filter(".", 2)]
        }
        I::SetAttr(name) if name.starts_with('_') => {
            vec![I::LoadConst(Value::from(*name)), filter(".=", 1), instruction.clone()]
        }
        I::PushLoop(_) => vec![filter("@for", 1), instruction.clone()],
        // What `set` and `filter` blocks assign stays inside them.
        I::BeginCapture(_) => vec![instruction.clone(), I::PushWith],
        I::EndCapture => vec![I::PopFrame, instruction.clone()],
        I::BuildMap(_) => vec![instruction.clone(), filter("@dict", 1)],
        I::UnpackList(_) => vec![filter("=", 1), instruction.clone()],
        _ => vec![instruction.clone()],
    }
}

/// The type of the operator is not public; its name is.
fn spelling(name: &str) -> &'static str {
    match name {
        "Eq" => "==",
        "Ne" => "!=",
        "Lt" => "<",
        "Lte" => "<=",
        "Gt" => ">",
        "Gte" => ">=",
        "In" => "in",
        // minijinja drops blanks from names of filters.
        _ => "!in",
    }
}
