//! jinja2's filters by name. What is short stands here; text, numbers, sequences and aggregates have files of their own.

use minijinja::value::Value;
use minijinja::State;

use crate::access;
use crate::aggregates;
use crate::args::{flag, require_str, Args};
use crate::html;
use crate::json;
use crate::methods;
use crate::number_filters;
use crate::repr;
use crate::sequences;
use crate::text::capitalize;
use crate::text_filters;
use crate::urlize;
use crate::value::{iterate, length, list, py, Py, Result};
use crate::wrap;

pub type Function = fn(&mut State, Args) -> Result<Value>;

pub const FILTERS: &[(&str, Function)] = &[
    ("abs", |_, args| number_filters::abs(&args.one()?)),
    ("attr", |_, args| attr(args)),
    ("batch", |_, args| sequences::batch(args)),
    ("capitalize", |_, args| text_filters::on_text(&args.one()?, |s| Ok(capitalize(s)))),
    ("center", |_, args| text_filters::center(args)),
    ("count", |_, args| length(&args.one()?).map(Value::from)),
    ("d", |_, args| default(args)),
    ("default", |_, args| default(args)),
    ("dictsort", |_, args| aggregates::dict_sort(args)),
    ("e", |_, args| html::escape_value(&args.one()?)),
    ("escape", |_, args| html::escape_value(&args.one()?)),
    ("filesizeformat", |_, args| number_filters::file_size(args)),
    ("first", |_, args| sequences::first(&args.one()?)),
    ("float", |_, args| number_filters::float(args)),
    ("forceescape", |_, args| Ok(Value::from_safe_string(html::escape(&repr::to_str(&args.one()?)?)?))),
    ("format", |_, args| text_filters::format(args)),
    ("groupby", |_, args| aggregates::group_by(args)),
    ("indent", |_, args| text_filters::indent(args)),
    ("int", |_, args| number_filters::integer(args)),
    ("items", |_, args| sequences::items(&args.one()?)),
    ("join", |_, args| sequences::join(args)),
    ("last", |_, args| sequences::last(&args.one()?)),
    ("length", |_, args| length(&args.one()?).map(Value::from)),
    ("list", |_, args| iterate(&args.one()?).map(list)),
    ("lower", |_, args| text_filters::on_text(&args.one()?, |s| Ok(s.to_lowercase()))),
    ("map", sequences::map),
    ("max", |_, args| aggregates::extreme(args, ">")),
    ("min", |_, args| aggregates::extreme(args, "<")),
    ("pprint", |_, args| wrap::pretty(&args.one()?).map(Value::from)),
    ("random", |_, args| sequences::random(&args.one()?)),
    ("reject", |state, args| sequences::select(state, args, false, false)),
    ("rejectattr", |state, args| sequences::select(state, args, true, false)),
    ("replace", |_, args| text_filters::replace(args)),
    ("reverse", |_, args| sequences::reverse(&args.one()?)),
    ("round", |_, args| number_filters::round(args)),
    ("safe", |_, args| Ok(Value::from_safe_string(repr::to_str(&args.one()?)?))),
    ("select", |state, args| sequences::select(state, args, false, true)),
    ("selectattr", |state, args| sequences::select(state, args, true, true)),
    ("slice", |_, args| sequences::slice(args)),
    ("sort", |_, args| aggregates::sort(args)),
    ("string", |_, args| text_filters::string(args.one()?)),
    ("striptags", |_, args| html::strip_tags(&repr::to_str(&args.one()?)?).map(Value::from)),
    ("sum", |_, args| aggregates::sum(args)),
    ("title", |_, args| text_filters::on_text(&args.one()?, |s| Ok(text_filters::title(s)))),
    ("tojson", |_, args| json::filter(args)),
    ("trim", |_, args| text_filters::trim(args)),
    ("truncate", |_, args| text_filters::truncate(args)),
    ("unique", |_, args| aggregates::unique(args)),
    ("upper", |_, args| text_filters::on_text(&args.one()?, |s| Ok(s.to_uppercase()))),
    ("urlencode", |_, args| html::url_encode(&args.one()?).map(Value::from)),
    ("urlize", |_, args| urlize::urlize(args)),
    ("wordcount", |_, args| Ok(Value::from(text_filters::word_count(&repr::to_str(&args.one()?)?)))),
    ("wordwrap", |_, args| text_filters::word_wrap(args)),
    ("xmlattr", |_, args| xml_attributes(args)),
];

pub fn find(name: &str) -> Option<Function> {
    FILTERS.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}

/// Attributes only: a dict's keys are not seen.
fn attr(args: Args) -> Result<Value> {
    let [object, name] = args.bind(["obj", "name"], 2)?;
    let (object, name) = (object.unwrap_or_default(), name.unwrap_or_default());
    let name = require_str(&name)?;
    match py(&object) {
        Py::Other(_) => access::attribute(&object, name),
        _ if methods::find(&object, name).is_some() => access::attribute(&object, name),
        _ => Ok(Value::UNDEFINED),
    }
}

fn default(args: Args) -> Result<Value> {
    let [value, fallback, boolean] = args.bind(["value", "default_value", "boolean"], 1)?;
    let value = value.unwrap_or_default();
    if value.is_undefined() || flag(&boolean, false) && !value.is_true() {
        return Ok(fallback.unwrap_or_else(|| Value::from("")));
    }
    Ok(value)
}

fn xml_attributes(args: Args) -> Result<Value> {
    let [value, autospace] = args.bind(["d", "autospace"], 1)?;
    html::xml_attributes(&value.unwrap_or_default(), flag(&autospace, true)).map(Value::from)
}
