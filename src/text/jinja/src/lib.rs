//! plumb's chat-template engine: minijinja, made to mean what jinja2 means under Python and transformers, behind the C
//! interface of jinja.h. See docs/templates.md.

mod access;
mod aggregates;
mod args;
mod engine;
mod escapes;
mod ffi;
mod filters;
mod format_spec;
mod globals;
mod html;
mod json;
mod layout;
mod macros;
mod memory;
mod methods;
mod msgpack;
mod nesting;
mod number_filters;
mod number_format;
mod objects;
mod ops;
mod patch;
mod percent;
mod predicates;
mod repr;
mod sequences;
mod sort;
mod source;
mod str_format;
mod str_methods;
mod str_predicates;
mod text;
mod text_filters;
mod value;
mod wrap;
