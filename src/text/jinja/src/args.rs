//! Arguments of a call, bound to parameter names as Python binds them.

use minijinja::value::{Kwargs, Value};

use crate::value::{error, require_i64, Result};

/// The arguments of one call of `name`; positional ones first, keyword ones in the order written.
pub struct Args {
    name: &'static str,
    positional: Vec<Value>,
    keywords: Vec<(String, Value)>,
}

impl Args {
    pub fn new(name: &'static str, mut values: Vec<Value>) -> Result<Args> {
        let mut keywords = Vec::new();
        if values.last().is_some_and(Value::is_kwargs) {
            let kwargs = Kwargs::try_from(values.pop().unwrap_or_default())?;
            for key in kwargs.args() {
                keywords.push((key.to_string(), kwargs.get::<Value>(key)?));
            }
        }
        Ok(Args { name, positional: values, keywords })
    }

    /// Binds to `names`; the first `required` must be there. Unknown, doubled and surplus arguments fail.
    pub fn bind<const N: usize>(self, names: [&str; N], required: usize) -> Result<[Option<Value>; N]> {
        let name = self.name;
        if self.positional.len() > N {
            return Err(error(format!("{name}() takes at most {N} arguments ({} given)", self.positional.len())));
        }
        let mut bound = [const { None }; N];
        for (slot, value) in bound.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (key, value) in self.keywords {
            let slot = names.iter().position(|n| *n == key);
            let Some(slot) = slot else {
                return Err(error(format!("{name}() got an unexpected keyword argument '{key}'")));
            };
            if bound[slot].is_some() {
                return Err(error(format!("{name}() got multiple values for argument '{key}'")));
            }
            bound[slot] = Some(value);
        }
        match bound.iter().take(required).position(Option::is_none) {
            Some(missing) => Err(error(format!("{name}() missing required argument '{}'", names[missing]))),
            None => Ok(bound),
        }
    }

    /// One required argument and nothing else.
    pub fn one(self) -> Result<Value> {
        let [value] = self.bind(["value"], 1)?;
        Ok(value.unwrap_or_default())
    }

    /// No keyword arguments; the positional ones.
    pub fn positional(self) -> Result<Vec<Value>> {
        match self.keywords.first() {
            Some((key, _)) => Err(error(format!("{}() got an unexpected keyword argument '{key}'", self.name))),
            None => Ok(self.positional),
        }
    }

    pub fn into_parts(self) -> (Vec<Value>, Vec<(String, Value)>) {
        (self.positional, self.keywords)
    }

    /// The first positional argument taken out: what a filter is applied to.
    pub fn take_first(&mut self) -> Result<Value> {
        if self.positional.is_empty() {
            return Err(error(format!("{}() missing required argument 'value'", self.name)));
        }
        Ok(self.positional.remove(0))
    }
}

/// Keyword arguments as the engine passes them on: one trailing value.
pub fn join(mut positional: Vec<Value>, keywords: Vec<(String, Value)>) -> Vec<Value> {
    if !keywords.is_empty() {
        positional.push(Value::from(keywords.into_iter().collect::<Kwargs>()));
    }
    positional
}

pub fn is_given(value: &Option<Value>) -> bool {
    value.as_ref().is_some_and(|v| !v.is_none())
}

pub fn flag(value: &Option<Value>, default: bool) -> bool {
    value.as_ref().map_or(default, Value::is_true)
}

pub fn int(value: &Option<Value>, default: i64) -> Result<i64> {
    value.as_ref().map_or(Ok(default), require_i64)
}

/// A string argument; Python would raise a TypeError for anything else.
pub fn text<'a>(value: &'a Option<Value>, default: &'a str) -> Result<&'a str> {
    match value {
        None => Ok(default),
        Some(v) => require_str(v),
    }
}

pub fn require_str(value: &Value) -> Result<&str> {
    value.as_str().ok_or_else(|| error(format!("expected str, got {}", crate::value::type_name(value))))
}
