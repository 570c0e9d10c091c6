//! Macros as jinja2 calls them. In minijinja a parameter that is passed something undefined takes its default, a default
//! cannot use an earlier parameter, and there are no `varargs` and `kwargs`. So every macro is wrapped in an object that
//! binds the arguments, and layout.rs writes the code at a macro's start, which takes them off the stack, anew.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::machinery::{Instruction, Instructions};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, State};

use crate::args::{join, Args};
use crate::repr;
use crate::value::{dict, error, tuple, Result};

/// An undefined value that was passed to a macro; what was not passed arrives as plain undefined.
#[derive(Debug)]
struct Passed(Value);

impl Object for Passed {}

fn pass(value: Value) -> Value {
    if value.is_undefined() {
        Value::from_object(Passed(value))
    } else {
        value
    }
}

/// What a parameter holds once it has arrived.
pub fn received(value: Value) -> Value {
    value.downcast_object_ref::<Passed>().map_or_else(|| value.clone(), |passed| passed.0.clone())
}

/// What a macro takes.
#[derive(Debug, Clone)]
pub struct Signature {
    /// Empty for the macro of a call block.
    name: String,
    parameters: Vec<String>,
    pub varargs: bool,
    pub kwargs: bool,
}

impl Object for Signature {}

/// A macro of a template: minijinja's, behind a call that binds arguments as jinja2 does.
#[derive(Debug)]
pub struct Macro {
    native: Value,
    signature: Signature,
}

impl Macro {
    /// Wraps the macro that minijinja has just built.
    pub fn wrap(native: Value, signature: &Value) -> Value {
        match signature.downcast_object_ref::<Signature>() {
            Some(signature) => Value::from_object(Macro { native, signature: signature.clone() }),
            None => native,
        }
    }

    fn uses_caller(&self) -> bool {
        self.native.get_attr("caller").is_ok_and(|uses| uses.is_true())
    }

    /// The arguments as minijinja's macro binds them: one for each of its names, and `caller`.
    fn bind(&self, args: &[Value]) -> Result<Vec<Value>> {
        let Signature { name, parameters, varargs, kwargs } = &self.signature;
        let (mut positional, mut keywords) = Args::new("macro", args.to_vec())?.into_parts();
        let more = positional.split_off(parameters.len().min(positional.len()));
        let mut take = |key: &str| {
            let at = keywords.iter().position(|(known, _)| known == key)?;
            Some(keywords.remove(at).1)
        };
        let mut bound: Vec<Value> = positional.into_iter().map(pass).collect();
        for parameter in &parameters[bound.len()..] {
            bound.push(take(parameter).map_or(Value::UNDEFINED, pass));
        }
        let caller = if self.uses_caller() { take("caller").filter(|caller| !caller.is_none()) } else { None };
        if *varargs {
            bound.push(tuple(more));
        } else if !more.is_empty() {
            return Err(error(format!("macro '{name}' takes not more than {} argument(s)", parameters.len())));
        }
        if *kwargs {
            bound.push(dict(keywords.into_iter().map(|(key, value)| (Value::from(key), value)).collect()));
        } else if let Some((key, _)) = keywords.first() {
            return Err(error(format!("macro '{name}' takes no keyword argument '{key}'")));
        }
        Ok(join(bound, caller.into_iter().map(|caller| ("caller".to_string(), caller)).collect()))
    }
}

impl Object for Macro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let Signature { name, parameters, varargs, kwargs } = &self.signature;
        match key.as_str()? {
            "name" if name.is_empty() => Some(Value::from(())),
            "name" => Some(Value::from(name.as_str())),
            "arguments" => Some(tuple(parameters.iter().map(|parameter| Value::from(parameter.as_str())).collect())),
            "caller" => Some(Value::from(self.uses_caller())),
            "catch_varargs" => Some(Value::from(*varargs)),
            "catch_kwargs" => Some(Value::from(*kwargs)),
            _ => None,
        }
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> std::result::Result<Value, Error> {
        let bound = self.bind(args)?;
        self.native.call(state, &bound)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.signature.name.as_str() {
            "" => f.write_str("<Macro anonymous>"),
            name => write!(f, "<Macro {}>", repr::to_repr(&Value::from(name)).map_err(|_| fmt::Error)?),
        }
    }
}

pub struct Parameter<'s> {
    pub name: &'s str,
    /// Where the code of the default lies: first instruction, and the one after the last.
    pub default: Option<(usize, usize)>,
}

/// A macro's code in a program: instructions `start` to `end` take its arguments off the stack.
pub struct Prologue<'s> {
    pub start: usize,
    pub end: usize,
    pub parameters: Vec<Parameter<'s>>,
    pub signature: Signature,
}

impl<'s> Prologue<'s> {
    /// Of the macro that the instruction at `index` builds, if it builds one and the code looks as minijinja writes it.
    fn of(program: &Instructions<'s>, index: usize) -> Option<Prologue<'s>> {
        let get = |i: usize| program.get(i as u32);
        let (Some(Instruction::BuildMacro(name, start, _)), Some(Instruction::LoadConst(names))) =
            (get(index), get(index.checked_sub(1)?))
        else {
            return None;
        };
        let start = *start as usize;
        let mut end = start;
        let mut parameters = Vec::new();
        for _ in 0..names.len()? {
            let default = match (get(end), get(end + 1), get(end + 2)) {
                (Some(Instruction::DupTop), Some(Instruction::IsUndefined), Some(Instruction::JumpIfFalse(after))) => {
                    Some((end + 4, *after as usize))
                }
                _ => None,
            };
            let store = default.map_or(end, |(_, after)| after);
            let Some(Instruction::StoreLocal(name)) = get(store) else { return None };
            parameters.push(Parameter { name, default });
            end = store + 1;
        }
        parameters.reverse();
        let uses = |wanted: &str| (end..index).any(|i| matches!(get(i), Some(Instruction::Lookup(name)) if *name == wanted));
        let signature = Signature {
            name: if *name == "caller" { String::new() } else { name.to_string() },
            parameters: parameters.iter().map(|parameter| parameter.name.to_string()).collect(),
            varargs: uses("varargs"),
            kwargs: uses("kwargs"),
        };
        Some(Prologue { start, end, parameters, signature })
    }

    /// The names that minijinja's macro binds.
    pub fn names(&self) -> Vec<&'s str> {
        let own = self.parameters.iter().map(|parameter| parameter.name);
        own.chain(self.signature.varargs.then_some("varargs")).chain(self.signature.kwargs.then_some("kwargs")).collect()
    }
}

/// The macros of a program, by where their code starts and by the instruction that builds them.
pub struct Macros<'s> {
    pub by_start: BTreeMap<usize, Prologue<'s>>,
    starts: BTreeMap<usize, usize>,
}

impl<'s> Macros<'s> {
    pub fn of(program: &Instructions<'s>) -> Macros<'s> {
        let mut macros = Macros { by_start: BTreeMap::new(), starts: BTreeMap::new() };
        let mut index = 0;
        while program.get(index as u32).is_some() {
            if let Some(found) = Prologue::of(program, index) {
                macros.starts.insert(index, found.start);
                macros.by_start.insert(found.start, found);
            }
            index += 1;
        }
        macros
    }

    /// The macro that the instruction at `index` builds.
    pub fn built_at(&self, index: usize) -> Option<&Prologue<'s>> {
        self.by_start.get(self.starts.get(&index)?)
    }
}
