//! The words of a Caddyfile.

use std::iter::Peekable;
use std::str::Chars;

use super::fault;
use crate::config::loaded::InvalidSetting;

/// A word.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Token {
    pub(super) text: String,
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// Words with equal numbers stand on one line, or on several that a `\` makes one.
    pub(super) line_group: usize,
    /// A brace in quotes is no brace.
    quoted: bool,
}

impl Token {
    /// Whether it is this word, without quotes.
    pub(super) fn is(&self, text: &str) -> bool {
        !self.quoted && self.text == text
    }
}

/// Splits `text`; comments and line ends are gone.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, InvalidSetting> {
    let mut lexer = Lexer {
        chars: text.chars().peekable(),
        line: 1,
        line_group: 1,
    };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

#[derive(Debug)]
struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
    line_group: usize,
}

impl Lexer<'_> {
    fn token(&mut self) -> Result<Option<Token>, InvalidSetting> {
        self.skip_space();
        let (line, line_group) = (self.line, self.line_group);
        let (text, quoted) = match self.chars.peek() {
            None => return Ok(None),
            Some(&quote @ ('"' | '`')) => (self.quoted(quote)?, true),
            Some(_) => (self.bare(), false),
        };
        if text.starts_with("<<") && !quoted {
            return Err(fault(
                line,
                "text after `<<` is not understood: put it in quotes",
            ));
        }
        Ok(Some(Token {
            text,
            line,
            line_group,
            quoted,
        }))
    }

    /// Skips spaces, line ends and comments.
    fn skip_space(&mut self) {
        let mut in_comment = false;
        while let Some(&c) = self.chars.peek() {
            match c {
                '\n' => {
                    in_comment = false;
                    self.line_group += 1;
                }
                '\\' if !in_comment && self.joins_lines() => {}
                '#' => in_comment = true,
                c if in_comment || c.is_whitespace() => {}
                _ => return,
            }
            self.next();
        }
    }

    /// Whether the next `\` ends its line; if so, all of it is taken but the line end's last byte,
    /// which no longer ends the line.
    fn joins_lines(&mut self) -> bool {
        let mut ahead = self.chars.clone();
        ahead.next();
        let rest: String = ahead.by_ref().take(2).collect();
        if !rest.starts_with('\n') && !rest.starts_with("\r\n") {
            return false;
        }
        // The caller takes one more: the line end itself.
        while self.chars.peek() != Some(&'\n') {
            self.next();
        }
        true
    }

    fn quoted(&mut self, quote: char) -> Result<String, InvalidSetting> {
        let begin = self.line;
        self.next();
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                c if c == quote => return Ok(text),
                // Nothing but the quote itself can be escaped.
                '\\' if quote == '"' && self.chars.peek() == Some(&'"') => {
                    text.extend(self.next());
                }
                c => text.push(c),
            }
        }
        Err(fault(begin, "a quote is not closed"))
    }

    fn bare(&mut self) -> String {
        let mut text = String::new();
        while self.chars.peek().is_some_and(|c| !c.is_whitespace()) {
            text.extend(self.next());
        }
        text
    }

    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }
}
