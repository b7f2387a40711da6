//! What a URL pattern's text must be before its compiler sees it.

use std::str::Chars;

use super::{InvalidSelector, Selector};

/// Refuses texts that would cost the compiler too much, and those that it does not survive.
///
/// Counts each `:name`, `*`, `(…)` and `{…}` as a variable. Finds no other fault: what it lets
/// through may still be no pattern.
pub(super) fn check(text: &str) -> Result<(), InvalidSelector> {
    let mut scan = Scan {
        rest: text.chars(),
        variables: 0,
        in_braces: false,
        origin: Some(Origin::default()),
    };
    scan.run().ok_or(InvalidSelector::Pattern)?;
    match scan.variables {
        0..=Selector::VARIABLES_MAX => Ok(()),
        _ => Err(InvalidSelector::TooComplex),
    }
}

struct Scan<'a> {
    rest: Chars<'a>,
    variables: usize,
    /// Behind a `{`, which holds no other.
    in_braces: bool,
    /// `None` from the path on.
    origin: Option<Origin>,
}

/// What stands before the path.
#[derive(Default)]
struct Origin {
    /// Open `[`.
    brackets: usize,
    previous: Option<char>,
}

impl Scan<'_> {
    /// `None` when the text is no pattern.
    fn run(&mut self) -> Option<()> {
        while let Some(c) = self.rest.next() {
            let mut meant = c;
            match c {
                '\\' => meant = self.rest.next()?,
                '(' => {
                    self.variables += 1;
                    self.skip_expression()?;
                }
                '{' if !self.in_braces => {
                    self.variables += 1;
                    self.in_braces = true;
                }
                '}' if self.in_braces => self.in_braces = false,
                '{' | '}' => return None,
                '*' => self.variables += 1,
                ':' if self.rest.as_str().starts_with(begins_name) => self.variables += 1,
                _ => {}
            }
            if !self.in_braces {
                self.origin = match self.origin.take() {
                    Some(origin) => origin.push(meant)?,
                    None => None,
                };
            }
        }
        (!self.in_braces).then_some(())
    }

    /// Goes behind the `)` that ends a custom group. `None` when there is none; the compiler would
    /// look for it once for each `(`, in quadratic time.
    fn skip_expression(&mut self) -> Option<()> {
        let text = self.rest.as_str();
        let mut depth = 1;
        while depth > 0 {
            match self.rest.next()? {
                '\\' => self.rest.next().filter(char::is_ascii).map(drop)?,
                '(' if self.rest.as_str().starts_with('?') => depth += 1,
                ')' => depth -= 1,
                '(' => return None,
                c => c.is_ascii().then_some(())?,
            }
        }
        (!text.starts_with(['?', ')'])).then_some(())
    }
}

impl Origin {
    /// Goes on behind `c`; `Some(None)` when the path begins with it. `None` when it closes a
    /// bracket that is not open: the compiler counts them in the host, below zero.
    fn push(mut self, c: char) -> Option<Option<Self>> {
        match c {
            '[' => self.brackets += 1,
            ']' => self.brackets = self.brackets.checked_sub(1)?,
            // What stood before it is the user's, not the host's.
            '@' => self.brackets = 0,
            // The slashes of `https://` are not the path's.
            '/' if !matches!(self.previous, Some(':' | '/')) => return Some(None),
            _ => {}
        }
        self.previous = Some(c);
        Some(Some(self))
    }
}

/// Whether a variable's name may begin with `c`; never false when it may.
fn begins_name(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '$' | '_') || !c.is_ascii()
}

#[cfg(test)]
mod tests;
