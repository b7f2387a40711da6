//! Directives as a Caddyfile writes them: one a line, with quotes, placeholders and blocks.

use crate::config::environment::Environment;
use crate::config::loaded::{InvalidSetting, Source};
use lexer::{Token, tokens};

mod lexer;
mod placeholder;

/// A directive with its arguments and what stands in braces after them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) block: Vec<Directive>,
    /// From 1.
    pub(super) line: usize,
}

/// Reads `text`; placeholders take their values from `environment`.
pub(super) fn parse(
    text: &str,
    environment: &Environment,
) -> Result<Vec<Directive>, InvalidSetting> {
    let mut tokens = tokens(text)?;
    for token in &mut tokens {
        token.text = placeholder::expand(&token.text, token.line, environment)?;
    }
    let mut open: Vec<Open> = Vec::new();
    let mut done = Vec::new();
    for line in tokens.chunk_by(|a, b| a.line_group == b.line_group) {
        read_line(line, &mut open, &mut done)?;
    }
    match open.pop() {
        Some(open) => Err(fault(open.directive.line, "its `{` has no `}`")),
        None => Ok(done),
    }
}

/// A directive whose block has not ended, and the directives that stood before it.
#[derive(Debug)]
struct Open {
    directive: Directive,
    before: Vec<Directive>,
}

/// Takes one line; `done` are the directives of the innermost block.
fn read_line(
    line: &[Token],
    open: &mut Vec<Open>,
    done: &mut Vec<Directive>,
) -> Result<(), InvalidSetting> {
    let Some((first, rest)) = line.split_first() else {
        return Ok(());
    };
    if first.is("}") {
        let Some(mut parent) = open.pop() else {
            return Err(fault(first.line, "a `}` without its `{`"));
        };
        if !rest.is_empty() {
            return Err(fault(first.line, "a `}` stands on a line of its own"));
        }
        parent.directive.block = std::mem::replace(done, parent.before);
        done.push(parent.directive);
        return Ok(());
    }
    let (arguments, opens) = match rest.split_last() {
        Some((last, arguments)) if last.is("{") => (arguments, true),
        Some(_) | None => (rest, false),
    };
    let brace = |token: &&Token| token.is("{") || token.is("}");
    if line.iter().take(arguments.len() + 1).any(|it| brace(&it)) {
        return Err(fault(
            first.line,
            "a `{` stands at the end of a line, and a `}` on its own",
        ));
    }
    let directive = Directive {
        name: first.text.clone(),
        arguments: arguments.iter().map(|it| it.text.clone()).collect(),
        block: Vec::new(),
        line: first.line,
    };
    if opens {
        let before = std::mem::take(done);
        open.push(Open { directive, before });
    } else {
        done.push(directive);
    }
    Ok(())
}

fn fault(line: usize, reason: &str) -> InvalidSetting {
    InvalidSetting::Directive {
        place: Source::Directive { line },
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
