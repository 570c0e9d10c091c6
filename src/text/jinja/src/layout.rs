//! A compiled program while it is rewritten: every old instruction becomes some new ones, and jumps follow.

use std::collections::BTreeMap;

use minijinja::machinery::{Instruction, Instructions};
use minijinja::value::Value;

use crate::macros::{Macros, Prologue};
use crate::nesting::Nesting;

/// No cached slot: the filter is looked up by name.
const NO_SLOT: u8 = !0;

pub fn filter(name: &'static str, arguments: u16) -> Instruction<'static> {
    Instruction::ApplyFilter(name, Some(arguments), NO_SLOT)
}

pub type Replace = for<'s> fn(&Instruction<'s>) -> Vec<Instruction<'s>>;

/// The program with each instruction replaced, with `break` and `continue` that close what they leave, and with jinja2's macros.
pub fn rewrite<'s>(program: &Instructions<'s>, replace: Replace) -> Instructions<'s> {
    let macros = Macros::of(program);
    let nesting = Nesting::of(program);
    let mut layout = Layout { program, replace, nesting, starts: Vec::new(), entries: BTreeMap::new(), code: Vec::new() };
    let mut index = 0;
    loop {
        if let Some(found) = macros.by_start.get(&index) {
            layout.place_parameters(found);
            index = found.end;
        }
        if program.get(index as u32).is_none() {
            return layout.finish(index);
        }
        match (macros.built_at(index), macros.built_at(index + 1)) {
            (Some(built), _) => layout.place_macro(index, built),
            (_, Some(built)) => layout.place(index, vec![Instruction::LoadConst(built.names().into_iter().collect())]),
            _ => layout.place_replaced(index),
        }
        index += 1;
    }
}

struct Layout<'p, 's> {
    program: &'p Instructions<'s>,
    replace: Replace,
    nesting: Nesting,
    /// Where each old instruction starts now.
    starts: Vec<u32>,
    /// Where the macros start now, by where they started.
    entries: BTreeMap<usize, u32>,
    code: Vec<Placed<'s>>,
}

struct Placed<'s> {
    instruction: Instruction<'s>,
    /// The old instruction whose line it has.
    origin: usize,
    /// Its jump, if it is one, names an old place.
    is_old: bool,
}

impl<'s> Layout<'_, 's> {
    fn here(&self) -> u32 {
        self.code.len() as u32
    }

    fn start_here(&mut self, old: usize) {
        let here = self.here();
        if self.starts.len() <= old {
            self.starts.resize(old + 1, here);
        }
        self.starts[old] = here;
    }

    /// What an old instruction becomes.
    fn place(&mut self, old: usize, piece: Vec<Instruction<'s>>) {
        self.start_here(old);
        self.code.extend(piece.into_iter().map(|instruction| Placed { instruction, origin: old, is_old: true }));
    }

    fn place_replaced(&mut self, old: usize) {
        let Some(instruction) = self.program.get(old as u32) else { return };
        let mut piece = self.nesting.unwind(old, instruction);
        piece.extend((self.replace)(instruction));
        self.place(old, piece);
    }

    fn place_macro(&mut self, old: usize, built: &Prologue<'s>) {
        let Some(Instruction::BuildMacro(name, _, flags)) = self.program.get(old as u32) else { return };
        let entry = self.entries.get(&built.start).copied().unwrap_or_default();
        let signature = Value::from_object(built.signature.clone());
        self.start_here(old);
        self.add(Instruction::BuildMacro(name, entry, *flags), old);
        self.add(Instruction::LoadConst(signature), old);
        self.add(filter("@macro", 2), old);
    }

    fn add(&mut self, instruction: Instruction<'s>, origin: usize) {
        self.code.push(Placed { instruction, origin, is_old: false });
    }

    /// Takes the arguments of a macro off the stack; then, in order, gives those that were not passed their defaults.
    fn place_parameters(&mut self, found: &Prologue<'s>) {
        self.entries.insert(found.start, self.here());
        for name in found.names().into_iter().rev() {
            self.add(Instruction::StoreLocal(name), found.start);
        }
        for parameter in &found.parameters {
            self.add(Instruction::Lookup(parameter.name), found.start);
            if let Some((start, end)) = parameter.default {
                self.place_default(found.start, start, end);
            }
            self.add(filter("@received", 1), found.start);
            self.add(Instruction::StoreLocal(parameter.name), found.start);
        }
    }

    /// Replaces an undefined value on the stack by what the old instructions `start` to `end` leave there.
    fn place_default(&mut self, origin: usize, start: usize, end: usize) {
        self.add(Instruction::DupTop, origin);
        self.add(Instruction::IsUndefined, origin);
        let skip = self.code.len();
        self.add(Instruction::JumpIfFalse(0), origin);
        self.add(Instruction::DiscardTop, origin);
        for old in start..end {
            self.place_replaced(old);
        }
        self.start_here(end);
        self.code[skip].instruction = Instruction::JumpIfFalse(self.here());
    }

    fn finish(mut self, old_length: usize) -> Instructions<'s> {
        self.start_here(old_length);
        let mut rewritten = Instructions::new(self.program.name(), self.program.source());
        for Placed { mut instruction, origin, is_old } in self.code {
            if is_old {
                retarget(&mut instruction, &self.starts);
            }
            match (self.program.get_span(origin as u32), self.program.get_line(origin as u32)) {
                (Some(span), _) => rewritten.add_with_span(instruction, span),
                (None, Some(line)) => rewritten.add_with_line(instruction, line as u16),
                (None, None) => rewritten.add(instruction),
            };
        }
        rewritten
    }
}

fn retarget(instruction: &mut Instruction, starts: &[u32]) {
    use Instruction as I;
    match instruction {
        I::Iterate(target)
        | I::Jump(target)
        | I::JumpIfFalse(target)
        | I::JumpIfFalseOrPop(target)
        | I::JumpIfTrueOrPop(target) => {
            if let Some(start) = starts.get(*target as usize) {
                *target = *start;
            }
        }
        _ => {}
    }
}
