//! What happens to a template's text before minijinja parses it: line ends become "\n" as in jinja2, syntax that minijinja does
//! not have is spelled in another way, and texts that would nest the parser, the code generator or their data deeper than the
//! native stack are refused.

use std::borrow::Cow;

use minijinja::machinery::{tokenize, Span, Token};
use minijinja::syntax::SyntaxConfig;

use crate::engine::Failure;
use crate::escapes::respell;
use crate::lookahead::{ImportName, Literal, TestName, AS_LITERAL};
use crate::with_tag::WithTag;

type Result<T> = std::result::Result<T, Failure>;

/// The largest template known is a tenth of this.
const MAX_SOURCE: usize = 1 << 20;
/// Operators, accesses and calls that may hang on each other within one tag, and `elif`s in one template. Each nests the
/// syntax tree by one. Python's own compiler gives up at a few hundred.
const MAX_CHAIN: usize = 4000;

fn refuse(line: u16, message: String) -> Failure {
    Failure { message: format!("syntax error: {message}"), line: line as usize }
}

/// The syntax jinja2 is given by transformers.
pub fn syntax() -> Result<SyntaxConfig> {
    Ok(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?)
}

pub fn normalize(source: &str) -> Result<String> {
    if source.len() > MAX_SOURCE {
        return Err(refuse(0, format!("expected at most {MAX_SOURCE} bytes, got {}", source.len())));
    }
    let text = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut walk = Walk::default();
    // Errors of the lexer are left to the parser.
    for token in tokenize(&text, false, syntax()?).map_while(std::result::Result::ok) {
        walk.visit(&text, token)?;
    }
    Ok(edited(&text, &walk.edits))
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end, replacement) in edits {
        result.push_str(&text[at..*start]);
        result.push_str(replacement);
        at = *end;
    }
    result + &text[at..]
}

/// A byte range and what replaces it.
pub type Edit = (usize, usize, Cow<'static, str>);

/// One pass over the tokens of a template.
#[derive(Default)]
struct Walk {
    chain: Chain,
    elifs: usize,
    /// In order.
    edits: Vec<Edit>,
    /// The token before was `{%`.
    after_tag_start: bool,
    /// What came before can be the left operand of an operator.
    after_operand: bool,
    /// The tag before was `{% include`.
    in_include: bool,
    import: ImportName,
    literal: Literal,
    test: TestName,
    /// The `with` tag that is being read, and how many edits there were before.
    with: Option<(WithTag, usize)>,
    tuple: Option<BareTuple>,
}

/// An expression that may turn out to be a tuple without parentheses, which minijinja knows only after `set x =`.
struct BareTuple {
    start: usize,
    brackets: usize,
    has_comma: bool,
}

impl Walk {
    fn visit(&mut self, text: &str, (token, span): (Token, Span)) -> Result<()> {
        let (start, end) = (span.start_offset as usize, span.end_offset as usize);
        if self.after_tag_start {
            self.tag_name(&token, span)?;
        }
        if self.import.is_broken_by(&token, self.after_operand) {
            return Err(refuse(span.start_line, "expected a name after import ... as".to_string()));
        }
        if self.test.is_chained(&token) {
            return Err(refuse(span.start_line, "You cannot chain multiple tests with is".to_string()));
        }
        if let Some(end) = self.test.ended_before(&token, end) {
            self.edits.push((end, end, "()".into()));
        }
        if let Some(end) = self.literal.ended_before(&token, self.after_operand, end) {
            self.edits.push((end, end, AS_LITERAL.into()));
        }
        match token {
            // jinja2 keeps the line end after `{% raw %}`.
            Token::TemplateData(_) if is_raw_tag(&text[..start]) => self.edits.push((start - 2, start - 2, "+".into())),
            // Without a loader no template can be missing: jinja2 raises all the same.
            Token::Ident("ignore") if self.in_include && self.after_operand => {
                return Err(refuse(span.start_line, "no loader for this environment specified".to_string()))
            }
            // Unary plus, which minijinja does not have.
            Token::Plus if !self.after_operand => self.edits.push((start, end, " - -".into())),
            Token::String(_) => {
                let spelling = respell(&text[start..end]).map_err(|message| refuse(span.start_line, message))?;
                self.edits.extend(spelling.map(|spelling| (start, end, spelling.into())));
            }
            _ => {}
        }
        self.watch_tuple(&token, start, end);
        self.watch_with(text, &token, start, end);
        self.after_tag_start = matches!(token, Token::BlockStart);
        self.after_operand = is_operand_end(&token);
        if self.chain.depth_after(&token) > MAX_CHAIN || self.elifs > MAX_CHAIN {
            return Err(refuse(span.start_line, format!("expected at most {MAX_CHAIN} chained operators, got more")));
        }
        Ok(())
    }

    fn tag_name(&mut self, token: &Token, span: Span) -> Result<()> {
        let (start, end) = (span.start_offset as usize, span.end_offset as usize);
        self.in_include = matches!(token, Token::Ident("include"));
        let mut rename = |name: &'static str| self.edits.push((start, end, name.into()));
        match token {
            // transformers' tag around what the assistant said; it changes nothing in the text, but has a scope.
            Token::Ident("generation") => rename("with"),
            Token::Ident("endgeneration") => rename("endwith"),
            Token::Ident("do") => return Err(refuse(span.start_line, "Encountered unknown tag 'do'.".to_string())),
            Token::Ident("import") => self.import = ImportName::Tag,
            Token::Ident("elif") => self.elifs += 1,
            _ => {}
        }
        Ok(())
    }

    fn watch_with(&mut self, text: &str, token: &Token, start: usize, end: usize) {
        if self.after_tag_start && matches!(token, Token::Ident("with")) {
            self.with = Some((WithTag::new(end), self.edits.len()));
        } else if self.with.as_mut().is_some_and(|(tag, _)| tag.ends_at(text, token, start, end)) {
            let Some((tag, n_before)) = self.with.take() else { return };
            self.edits.extend(tag.edits(start));
            // Of those at one place the ones inside the tag's values were first.
            self.edits[n_before..].sort_by_key(|edit| edit.0);
        }
    }

    /// Puts parentheses around the bare tuples of `{{ a, b }}` and `for x in a, b`.
    fn watch_tuple(&mut self, token: &Token, start: usize, end: usize) {
        let is_for = self.after_tag_start && matches!(token, Token::Ident("for"));
        if is_for || matches!(token, Token::VariableStart) {
            self.tuple = Some(BareTuple { start: if is_for { usize::MAX } else { end }, brackets: 0, has_comma: false });
            return;
        }
        let Some(tuple) = &mut self.tuple else { return };
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => tuple.brackets += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => tuple.brackets = tuple.brackets.saturating_sub(1),
            Token::Comma if tuple.brackets == 0 && tuple.start != usize::MAX => tuple.has_comma = true,
            Token::Ident("in") if tuple.start == usize::MAX && tuple.brackets == 0 => tuple.start = end,
            Token::VariableEnd | Token::BlockEnd | Token::Ident("recursive" | "if") if tuple.brackets == 0 => {
                // In `{{ a if b, c }}` the condition belongs to the first item.
                if matches!(token, Token::Ident("if")) && !tuple.has_comma {
                    return;
                }
                if tuple.has_comma {
                    let open = self.edits.partition_point(|edit| edit.0 < tuple.start);
                    self.edits.insert(open, (tuple.start, tuple.start, "(".into()));
                    self.edits.push((start, start, ")".into()));
                }
                self.tuple = None;
            }
            _ => {}
        }
    }
}

/// Whether the text ends in `{% raw %}`, not closed by `-%}` or `+%}`.
fn is_raw_tag(text: &str) -> bool {
    let inside = text.strip_suffix("%}").map(str::trim_end).and_then(|rest| rest.strip_suffix("raw")).map(str::trim_end);
    inside.is_some_and(|rest| rest.strip_suffix(['-', '+']).unwrap_or(rest).ends_with("{%"))
}

fn is_operand_end(token: &Token) -> bool {
    match token {
        Token::Ident(name) => !is_operator_word(name),
        Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => true,
        Token::ParenClose | Token::BracketClose | Token::BraceClose => true,
        _ => false,
    }
}

fn is_operator_word(name: &str) -> bool {
    matches!(name, "and" | "or" | "not" | "is" | "in" | "if" | "elif" | "else")
}

/// An upper bound of how deep the tree of the expression read so far is: what is chained since the last comma, in every
/// bracket that is open.
#[derive(Default)]
struct Chain {
    outer: Vec<usize>,
    total: usize,
    current: usize,
}

impl Chain {
    fn depth_after(&mut self, token: &Token) -> usize {
        match token {
            Token::BlockStart | Token::BlockEnd | Token::VariableStart | Token::VariableEnd | Token::TemplateData(_) => {
                *self = Chain::default();
            }
            Token::Comma => self.current = 0,
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                self.current += 1;
                self.total += self.current;
                self.outer.push(self.current);
                self.current = 0;
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                self.current = self.outer.pop().unwrap_or(0);
                self.total = self.total.saturating_sub(self.current);
            }
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => {}
            Token::Ident(name) if !is_operator_word(name) => {}
            _ => self.current += 1,
        }
        self.total + self.current
    }
}
