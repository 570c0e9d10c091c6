//! Gives a compiled template Python's operators: the instructions whose meaning differs in minijinja are replaced by calls of
//! filters whose names (such as "+") no template can spell. Jumps are moved along.

use minijinja::machinery::{Instruction, Instructions};
use minijinja::value::Value;
use minijinja::Environment;

use crate::access;
use crate::globals::private_name;
use crate::methods;
use crate::ops;
use crate::value::{tuple, Result};

/// No cached slot: the filter is looked up by name.
const NO_SLOT: u8 = !0;

pub fn add_operators(env: &mut Environment) {
    env.add_filter("+", |a: Value, b: Value| ops::add(&a, &b));
    env.add_filter("-", |a: Value, b: Value| ops::sub(&a, &b));
    env.add_filter("*", |a: Value, b: Value| ops::mul(&a, &b));
    env.add_filter("/", |a: Value, b: Value| ops::div(&a, &b));
    env.add_filter("//", |a: Value, b: Value| ops::floor_div(&a, &b));
    env.add_filter("%", |a: Value, b: Value| ops::rem(&a, &b));
    env.add_filter("**", |a: Value, b: Value| ops::pow(&a, &b));
    env.add_filter("~", |a: Value, b: Value| ops::concat(&a, &b));
    env.add_filter("negate", |a: Value| ops::neg(&a));
    for op in ["==", "!=", "<", "<=", ">", ">=", "in", "not in"] {
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
    env.add_filter("for", |iterable: Value| access::for_loop(&iterable));
    env.add_filter("=", |value: Value| access::unpack(&value));
    env.add_filter(".=", |name: String| private_name(&name));
}

fn compare(op: &str, a: &Value, b: &Value) -> Result<bool> {
    match op {
        "==" => Ok(ops::eq(a, b)),
        "!=" => Ok(!ops::eq(a, b)),
        "in" => ops::contains(a, b),
        "not in" => ops::contains(a, b).map(|found| !found),
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
        _ => "not in&",
    }
}

/// The same program with Python's operators and jinja2's scopes.
pub fn patch<'s>(program: &Instructions<'s>) -> Instructions<'s> {
    let nesting = Nesting::of(program);
    let mut starts = Vec::new();
    let mut pieces = Vec::new();
    let mut length = 0u32;
    while let Some(instruction) = program.get(starts.len() as u32) {
        let mut piece = nesting.unwind(starts.len(), instruction);
        piece.extend(replace(instruction));
        starts.push(length);
        length += piece.len() as u32;
        pieces.push(piece);
    }
    starts.push(length);
    let mut patched = Instructions::new(program.name(), program.source());
    for (old, piece) in pieces.into_iter().enumerate() {
        for mut instruction in piece {
            retarget(&mut instruction, &starts);
            match (program.get_span(old as u32), program.get_line(old as u32)) {
                (Some(span), _) => patched.add_with_span(instruction, span),
                (None, Some(line)) => patched.add_with_line(instruction, line as u16),
                (None, None) => patched.add(instruction),
            };
        }
    }
    patched
}

#[derive(Clone, Copy, PartialEq)]
enum Block {
    With,
    Capture,
}

/// Which `with` blocks and captures are open at each instruction. They nest in program order; `break` and `continue` jump out
/// of them and have to close them, which minijinja forgets.
struct Nesting {
    /// A block that was opened, and the one around it (0: none).
    blocks: Vec<(Block, usize)>,
    /// Per instruction: the innermost open block, counted from 1; 0: none.
    innermost: Vec<usize>,
}

impl Nesting {
    fn of(program: &Instructions) -> Nesting {
        use minijinja::machinery::Instruction as I;
        let mut nesting = Nesting { blocks: Vec::new(), innermost: Vec::new() };
        let mut current = 0;
        while let Some(instruction) = program.get(nesting.innermost.len() as u32) {
            nesting.innermost.push(current);
            match instruction {
                I::PushWith => current = nesting.open(Block::With, current),
                I::BeginCapture(_) => current = nesting.open(Block::Capture, current),
                I::PopFrame | I::EndCapture => current = nesting.around(current),
                _ => {}
            }
        }
        nesting
    }

    fn open(&mut self, block: Block, around: usize) -> usize {
        self.blocks.push((block, around));
        self.blocks.len()
    }

    fn around(&self, block: usize) -> usize {
        block.checked_sub(1).map_or(0, |i| self.blocks[i].1)
    }

    /// What closes the blocks between a jump and its target; nothing for other instructions.
    fn unwind<'s>(&self, at: usize, instruction: &Instruction<'s>) -> Vec<Instruction<'s>> {
        let mut piece = Vec::new();
        let Instruction::Jump(target) = instruction else { return piece };
        let outer = self.innermost.get(*target as usize).copied().unwrap_or(0);
        let mut block = self.innermost[at];
        while block > outer {
            piece.push(Instruction::PopFrame);
            if self.blocks[block - 1].0 == Block::Capture {
                piece.extend([Instruction::EndCapture, Instruction::DiscardTop]);
            }
            block = self.around(block);
        }
        piece
    }
}

fn filter(name: &'static str, arguments: u16) -> Instruction<'static> {
    Instruction::ApplyFilter(name, Some(arguments), NO_SLOT)
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
        I::Neg => call("negate", 1),
        I::StringConcat => call("~", 2),
        I::Eq => call("==", 2),
        I::Ne => call("!=", 2),
        I::Lt => call("<", 2),
        I::Lte => call("<=", 2),
        I::Gt => call(">", 2),
        I::Gte => call(">=", 2),
        I::In => call("in", 2),
        I::CompareAndPreserve(op) => vec![filter(chained(spelling(&format!("{op:?}"))), 2), I::UnpackList(2)],
        I::GetItem => call("[]", 2),
        I::Slice => call("[:]", 4),
        I::GetAttr(name) if methods::all_names().any(|method| method == *name) => {
            vec![I::LoadConst(Value::from(*name)), filter(".", 2)]
        }
        I::SetAttr(name) if name.starts_with('_') => {
            vec![I::LoadConst(Value::from(*name)), filter(".=", 1), instruction.clone()]
        }
        I::PushLoop(_) => vec![filter("for", 1), instruction.clone()],
        // What `set` and `filter` blocks assign stays inside them.
        I::BeginCapture(_) => vec![instruction.clone(), I::PushWith],
        I::EndCapture => vec![I::PopFrame, instruction.clone()],
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
        _ => "not in",
    }
}

fn retarget(instruction: &mut Instruction, starts: &[u32]) {
    use minijinja::machinery::Instruction as I;
    match instruction {
        I::Iterate(target)
        | I::Jump(target)
        | I::JumpIfFalse(target)
        | I::JumpIfFalseOrPop(target)
        | I::JumpIfTrueOrPop(target)
        | I::BuildMacro(_, target, _) => {
            if let Some(start) = starts.get(*target as usize) {
                *target = *start;
            }
        }
        _ => {}
    }
}
