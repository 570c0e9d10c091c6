//! `{% with a = 1, b = a %}`: jinja2 computes all values before it sets the first name, minijinja one after the other. So several
//! assignments become one of tuples: `{% with (a, b) = (1, a) %}`.

use minijinja::machinery::Token;

use crate::source::Edit;

/// The assignments of a `with` tag that is being read.
pub struct WithTag {
    brackets: usize,
    /// Where the target that is being read, or the last one that was, starts: behind `with` or at the comma.
    start: usize,
    in_value: bool,
    /// A target holds something else than names: the parser shall say so.
    is_broken: bool,
    targets: Vec<String>,
    /// From `start` to behind the `=`, per target.
    places: Vec<(usize, usize)>,
}

impl WithTag {
    /// `start`: where `with` ends.
    pub fn new(start: usize) -> WithTag {
        WithTag { brackets: 0, start, in_value: false, is_broken: false, targets: Vec::new(), places: Vec::new() }
    }

    /// True when the tag ends with this token, which stands at `start..end` of `text`.
    pub fn ends_at(&mut self, text: &str, token: &Token, start: usize, end: usize) -> bool {
        let is_name = matches!(token, Token::Ident(_) | Token::Dot | Token::Comma | Token::ParenOpen | Token::ParenClose);
        self.is_broken |= !self.in_value && !is_name && !matches!(token, Token::Assign | Token::BlockEnd);
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => self.brackets += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => self.brackets = self.brackets.saturating_sub(1),
            Token::Assign if self.brackets == 0 && !self.in_value => {
                self.targets.push(text[self.start..start].trim_start_matches(',').trim().to_string());
                self.places.push((self.start, end));
                self.in_value = true;
            }
            Token::Comma if self.brackets == 0 && self.in_value => {
                self.start = start;
                self.in_value = false;
            }
            Token::BlockEnd => return true,
            _ => {}
        }
        false
    }

    /// What makes one assignment of several; the tag ends at `end`.
    pub fn edits(self, end: usize) -> Vec<Edit> {
        if self.places.len() < 2 || !self.in_value || self.is_broken {
            return Vec::new();
        }
        let first = format!(" ({}) = (", self.targets.join(", "));
        let texts = std::iter::once(first.into()).chain(std::iter::repeat(", ".into()));
        let places = self.places.into_iter().zip(texts).map(|((start, end), text)| (start, end, text));
        places.chain(std::iter::once((end, end, ")".into()))).collect()
    }
}
