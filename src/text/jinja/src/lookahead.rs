//! What the next token says about the ones before it: where a literal ends, and where a test has no argument.

use minijinja::machinery::Token;

/// The filter that stands behind literals. minijinja computes what operators make of literals when it compiles, by its own rules;
/// a filter keeps it from that, and patch.rs takes it out again.
pub const LITERAL: &str = "_literal_";
pub const AS_LITERAL: &str = "|_literal_ ";

/// A literal that may go on: `'a' 'b'` is one string, `'a'.upper()` needs no filter.
#[derive(Default)]
pub struct Literal {
    /// Where the literal before this token ends.
    end: Option<usize>,
    /// `[` or `{` of a list or a dict that may turn out to be empty.
    opened: bool,
    /// What stands here is a name of an attribute, a test or a filter.
    is_name: bool,
}

impl Literal {
    /// Where a literal ended, when the token that ends at `end` is not part of it.
    pub fn ended_before(&mut self, token: &Token, after_operand: bool, end: usize) -> Option<usize> {
        let goes_on = matches!(token, Token::Dot | Token::BracketOpen | Token::ParenOpen | Token::Str(_) | Token::String(_));
        let ended = self.end.take().filter(|_| !goes_on);
        let is_literal = match token {
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => !self.is_name,
            Token::Ident("none" | "None" | "true" | "True" | "false" | "False") => !self.is_name,
            Token::BracketClose | Token::BraceClose => self.opened,
            _ => false,
        };
        self.end = is_literal.then_some(end);
        self.opened = matches!(token, Token::BracketOpen | Token::BraceOpen) && !after_operand;
        self.is_name = match token {
            Token::Dot | Token::Pipe | Token::Ident("is") => true,
            Token::Ident("not") => self.is_name,
            _ => false,
        };
        ended
    }
}

/// The name behind `is` or `is not`. A sign after it is an operator; minijinja would take it for the start of an argument.
#[derive(Default)]
pub struct TestName {
    /// The token before was `is` or `is not`.
    after_is: bool,
    /// Where the name that was the token before ends.
    end: Option<usize>,
}

impl TestName {
    /// `x is a is b`
    pub fn is_chained(&self, token: &Token) -> bool {
        self.end.is_some() && matches!(token, Token::Ident("is"))
    }

    /// Where the name ended, when the token that ends at `end` is a sign.
    pub fn ended_before(&mut self, token: &Token, end: usize) -> Option<usize> {
        let ended = self.end.take().filter(|_| matches!(token, Token::Plus | Token::Minus));
        let is_not = matches!(token, Token::Ident("not"));
        if self.after_is && !is_not {
            self.end = Some(end);
        }
        self.after_is = matches!(token, Token::Ident("is")) || self.after_is && is_not;
        ended
    }
}

/// The name behind `{% import x as`. minijinja would take any expression there, and fails on most of them.
#[derive(Default, Clone, Copy, PartialEq)]
pub enum ImportName {
    #[default]
    None,
    /// In the tag, before `as`.
    Tag,
    Expected,
    Read,
}

impl ImportName {
    pub fn is_broken_by(&mut self, token: &Token, after_operand: bool) -> bool {
        let (next, is_right) = match (*self, token) {
            (ImportName::None, _) => return false,
            (ImportName::Tag, Token::BlockEnd) => (ImportName::None, true),
            (ImportName::Tag, Token::Ident("as")) if after_operand => (ImportName::Expected, true),
            (ImportName::Tag, _) => (ImportName::Tag, true),
            (ImportName::Expected, _) => (ImportName::Read, matches!(token, Token::Ident(_))),
            (ImportName::Read, _) => (ImportName::None, matches!(token, Token::BlockEnd | Token::Ident("with" | "without"))),
        };
        *self = next;
        !is_right
    }
}
