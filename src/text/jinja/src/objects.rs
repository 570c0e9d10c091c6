//! Python objects that templates meet and minijinja does not have: generators, dict views, ranges, bound methods, and
//! jinja2's cycler and joiner.

use std::cmp::Ordering;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, State};

use crate::methods;
use crate::value::{error, int_value, py, tuple, Dict, Py, Result};

fn address<T>(object: &Arc<T>) -> usize {
    Arc::as_ptr(object) as *const () as usize
}

/// A sequence that is always true, has no length, and is used up by whoever reads it first.
pub struct Generator {
    items: Mutex<std::vec::IntoIter<Value>>,
}

impl Generator {
    pub fn new(items: Vec<Value>) -> Generator {
        Generator { items: Mutex::new(items.into_iter()) }
    }

    fn lock(&self) -> MutexGuard<'_, std::vec::IntoIter<Value>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn next(&self) -> Option<Value> {
        self.lock().next()
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<generator object>")
    }
}

struct GeneratorIter(Arc<Generator>);

impl Iterator for GeneratorIter {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.lock().len();
        (left, Some(left))
    }
}

impl Object for Generator {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Iter(Box::new(GeneratorIter(self.clone())))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        None
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(address(self).cmp(&address(&other.downcast::<Self>()?)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ViewKind {
    Keys,
    Values,
    Items,
}

impl ViewKind {
    pub fn type_name(self) -> &'static str {
        match self {
            ViewKind::Keys => "dict_keys",
            ViewKind::Values => "dict_values",
            ViewKind::Items => "dict_items",
        }
    }
}

/// What `dict.keys()`, `.values()` and `.items()` return: sized and iterable, but not indexable.
#[derive(Debug)]
pub struct DictView {
    pub kind: ViewKind,
    dict: Value,
}

impl DictView {
    pub fn new(kind: ViewKind, dict: Value) -> DictView {
        DictView { kind, dict }
    }

    fn dict(&self) -> Option<&Dict> {
        match py(&self.dict) {
            Py::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    pub fn items(&self) -> Vec<Value> {
        let Some(dict) = self.dict() else { return Vec::new() };
        match self.kind {
            ViewKind::Keys => dict.keys().cloned().collect(),
            ViewKind::Values => dict.values().cloned().collect(),
            ViewKind::Items => dict.iter().map(|(key, value)| tuple(vec![key.clone(), value.clone()])).collect(),
        }
    }
}

impl Object for DictView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        self.dict().map(Dict::len)
    }
}

/// `range(start, stop, step)`, at most `MAX_LENGTH` long as in jinja2's sandbox.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    pub start: i128,
    pub stop: i128,
    pub step: i128,
}

impl Range {
    const MAX_LENGTH: i128 = 100_000;

    pub fn new(start: i128, stop: i128, step: i128) -> Result<Range> {
        if step == 0 {
            return Err(error("range() arg 3 must not be zero"));
        }
        let bound = 1i128 << 100;
        let range =
            Range { start: start.clamp(-bound, bound), stop: stop.clamp(-bound, bound), step: step.clamp(-bound, bound) };
        if range.len_i128() > Range::MAX_LENGTH {
            return Err(error("Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000)."));
        }
        Ok(range)
    }

    fn len_i128(&self) -> i128 {
        let distance = if self.step > 0 { self.stop - self.start } else { self.start - self.stop };
        let step = self.step.abs();
        ((distance + step - 1).div_euclid(step)).max(0)
    }

    pub fn len(&self) -> usize {
        self.len_i128() as usize
    }

    pub fn at(&self, index: usize) -> Value {
        int_value(self.start + self.step * index as i128)
    }
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = key.as_usize()?;
        (index < self.len()).then(|| self.at(index))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.len())
    }
}

/// `receiver.name` that was not called on the spot.
#[derive(Debug)]
pub struct BoundMethod {
    pub receiver: Value,
    pub name: &'static str,
}

impl Object for BoundMethod {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> std::result::Result<Value, Error> {
        methods::call(state, &self.receiver, self.name, args)
    }
}

/// jinja2's `cycler(...)`.
#[derive(Debug)]
pub struct Cycler {
    items: Vec<Value>,
    position: AtomicUsize,
}

impl Cycler {
    pub fn new(items: Vec<Value>) -> Result<Cycler> {
        if items.is_empty() {
            return Err(error("at least one item has to be provided"));
        }
        Ok(Cycler { items, position: AtomicUsize::new(0) })
    }

    fn current(&self) -> Value {
        self.items[self.position.load(Relaxed)].clone()
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "current" => Some(self.current()),
            "items" => Some(tuple(self.items.clone())),
            "pos" => Some(Value::from(self.position.load(Relaxed))),
            _ => None,
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> std::result::Result<Value, Error> {
        match method {
            "next" => {
                let value = self.current();
                self.position.store((self.position.load(Relaxed) + 1) % self.items.len(), Relaxed);
                Ok(value)
            }
            "reset" => {
                self.position.store(0, Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(error(format!("'Cycler' object has no attribute '{method}'"))),
        }
    }
}

/// jinja2's `joiner(sep)`: nothing at the first call, the separator at every later one.
#[derive(Debug)]
pub struct Joiner {
    separator: Value,
    used: AtomicBool,
}

impl Joiner {
    pub fn new(separator: Value) -> Joiner {
        Joiner { separator, used: AtomicBool::new(false) }
    }
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, _args: &[Value]) -> std::result::Result<Value, Error> {
        Ok(if self.used.swap(true, Relaxed) { self.separator.clone() } else { Value::from("") })
    }
}
