//! Filters that compare or add up items: sort, dictsort, unique, min, max, sum, groupby.

use std::collections::HashSet;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use std::sync::Arc;

use crate::access;
use crate::args::{flag, text, Args};
use crate::ops;
use crate::sort;
use crate::value::{error, generator, iterate, list, py, require_hashable, tuple, type_name, Py, Result};

/// Strings compare without case unless asked otherwise.
fn fold_case(value: Value, case_sensitive: bool) -> Value {
    match value.as_str() {
        Some(s) if !case_sensitive => Value::from(s.to_lowercase()),
        _ => value,
    }
}

fn key_of(item: &Value, attribute: &Option<Value>, case_sensitive: bool, default: Option<&Value>) -> Result<Value> {
    let value = match attribute {
        Some(path) => access::by_path(item, path, default)?,
        None => item.clone(),
    };
    Ok(fold_case(value, case_sensitive))
}

/// Sorts items by their keys; in reverse, equal items keep their order too.
fn sort_keyed(keyed: &mut Vec<(Value, Value)>, reverse: bool) -> Result<()> {
    if reverse {
        sort::sort(keyed, |a, b| ops::compare("<", &b.0, &a.0))
    } else {
        sort::sort(keyed, |a, b| ops::compare("<", &a.0, &b.0))
    }
}

pub fn sort(args: Args) -> Result<Value> {
    let [value, reverse, case_sensitive, attribute] = args.bind(["value", "reverse", "case_sensitive", "attribute"], 1)?;
    let case_sensitive = flag(&case_sensitive, false);
    let paths: Vec<Option<Value>> = match attribute.as_ref().and_then(|a| a.as_str()) {
        Some(names) => names.split(',').map(|name| Some(Value::from(name))).collect(),
        None => vec![attribute.clone()],
    };
    let mut keyed = Vec::new();
    for item in iterate(&value.unwrap_or_default())? {
        let keys = paths.iter().map(|path| key_of(&item, path, case_sensitive, None)).collect::<Result<_>>()?;
        keyed.push((list(keys), item));
    }
    sort_keyed(&mut keyed, flag(&reverse, false))?;
    Ok(list(keyed.into_iter().map(|(_, item)| item).collect()))
}

pub fn dict_sort(args: Args) -> Result<Value> {
    let [value, case_sensitive, by, reverse] = args.bind(["value", "case_sensitive", "by", "reverse"], 1)?;
    let value = value.unwrap_or_default();
    let by_value = match text(&by, "key")? {
        "key" => false,
        "value" => true,
        _ => return Err(error("You can only sort by either \"key\" or \"value\"")),
    };
    let Py::Dict(entries) = py(&value) else {
        return Err(match value.is_undefined() {
            true => crate::value::undefined_error(&value),
            false => error(format!("'{} object' has no attribute 'items'", type_name(&value))),
        });
    };
    let mut keyed: Vec<(Value, Value)> = entries
        .iter()
        .map(|(k, v)| {
            let key = fold_case(if by_value { v } else { k }.clone(), flag(&case_sensitive, false));
            (key, tuple(vec![k.clone(), v.clone()]))
        })
        .collect();
    sort_keyed(&mut keyed, flag(&reverse, false))?;
    Ok(list(keyed.into_iter().map(|(_, pair)| pair).collect()))
}

pub fn unique(args: Args) -> Result<Value> {
    let [value, case_sensitive, attribute] = args.bind(["value", "case_sensitive", "attribute"], 1)?;
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for item in iterate(&value.unwrap_or_default())? {
        let key = key_of(&item, &attribute, flag(&case_sensitive, false), None)?;
        require_hashable(&key)?;
        if seen.insert(key) {
            kept.push(item);
        }
    }
    Ok(generator(kept))
}

/// min (`op` "<") and max (">"); the first of equal ones.
pub fn extreme(args: Args, op: &'static str) -> Result<Value> {
    let [value, case_sensitive, attribute] = args.bind(["value", "case_sensitive", "attribute"], 1)?;
    let mut best: Option<(Value, Value)> = None;
    for item in iterate(&value.unwrap_or_default())? {
        let key = key_of(&item, &attribute, flag(&case_sensitive, false), None)?;
        let better = match &best {
            Some((best_key, _)) => ops::less_or_greater(op, &key, best_key)?,
            None => true,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map(|(_, item)| item).unwrap_or_default())
}

pub fn sum(args: Args) -> Result<Value> {
    let [value, attribute, start] = args.bind(["iterable", "attribute", "start"], 1)?;
    let mut total = start.unwrap_or_else(|| Value::from(0));
    if total.as_str().is_some() {
        return Err(error("sum() can't sum strings [use ''.join(seq) instead]"));
    }
    let attribute = attribute.filter(|a| !a.is_none());
    for item in iterate(&value.unwrap_or_default())? {
        total = ops::add(&total, &key_of(&item, &attribute, true, None)?)?;
    }
    Ok(total)
}

/// What groupby yields: a pair that also has names, `grouper` and `list`.
#[derive(Debug)]
pub struct Group {
    pub pair: [Value; 2],
}

impl Object for Group {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = match key.as_str() {
            Some("grouper") => 0,
            Some("list") => 1,
            Some(_) => return None,
            None => key.as_usize()?,
        };
        self.pair.get(index).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(2)
    }
}

pub fn group_by(args: Args) -> Result<Value> {
    let [value, attribute, default, case_sensitive] = args.bind(["value", "attribute", "default", "case_sensitive"], 2)?;
    let case_sensitive = flag(&case_sensitive, false);
    let mut keyed = Vec::new();
    for item in iterate(&value.unwrap_or_default())? {
        keyed.push((key_of(&item, &attribute, case_sensitive, default.as_ref())?, item));
    }
    sort_keyed(&mut keyed, false)?;
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for (key, item) in keyed {
        match groups.last_mut().filter(|(last, _)| ops::eq(last, &key)) {
            Some((_, members)) => members.push(item),
            None => groups.push((key, vec![item])),
        }
    }
    let mut out = Vec::with_capacity(groups.len());
    for (key, members) in groups {
        // The key as the first member spells it, not folded.
        let key = if case_sensitive { key } else { key_of(&members[0], &attribute, true, default.as_ref())? };
        out.push(Value::from_object(Group { pair: [key, list(members)] }));
    }
    Ok(list(out))
}
