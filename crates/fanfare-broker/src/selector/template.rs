//! URI Templates as the protocol matches them: the grammar (D0-M8) and its expression (D0-M9).

/// A text that is a URI Template, taken apart for matching.
#[derive(Debug)]
pub(super) struct Template<'a> {
    /// The literal text before the first expression.
    pub(super) prefix: &'a str,
    /// A regular expression for all that follows, not anchored.
    pub(super) rest: String,
    /// Variables over all expressions.
    pub(super) variables: usize,
}

impl<'a> Template<'a> {
    /// Takes `text` apart; `None` when it is no template.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (prefix, mut tail) = text.split_at(text.find('{').unwrap_or(text.len()));
        check_literal(prefix)?;
        let mut template = Self {
            prefix,
            rest: String::new(),
            variables: 0,
        };
        while let Some(opened) = tail.strip_prefix('{') {
            let (body, after) = opened.split_once('}')?;
            template.push_expression(body)?;
            let (literal, next) = after.split_at(after.find('{').unwrap_or(after.len()));
            check_literal(literal)?;
            template.rest.push_str(&regex::escape(literal));
            tail = next;
        }
        Some(template)
    }

    /// Appends what stands between `{` and `}`.
    fn push_expression(&mut self, body: &str) -> Option<()> {
        let (operator, list) = Operator::split(body);
        let exploded: Vec<bool> = list.split(',').map(explodes).collect::<Option<_>>()?;
        self.variables += exploded.len();

        let any_exploded = exploded.contains(&true);
        let first = operator.class(exploded.first() == Some(&true));
        let following = operator.class(any_exploded);
        let separator = operator.separator;
        let more = match exploded.len() - 1 {
            _ if any_exploded => format!("(?:{separator}{following})*"),
            0 => String::new(),
            more => format!("(?:{separator}{following}){{0,{more}}}"),
        };
        // Every class may be empty, so without an opener there is nothing left to make optional.
        self.rest += &match operator.opener {
            "" => format!("{first}{more}"),
            opener => format!("(?:{opener}{first}{more})?"),
        };
        Some(())
    }
}

/// How an expression's values are opened, separated and spelt; the texts are expressions.
struct Operator {
    opener: &'static str,
    separator: &'static str,
    class: &'static str,
}

impl Operator {
    /// The operator that `body` begins with, and what follows it.
    fn split(body: &str) -> (Self, &str) {
        let (opener, separator, class) = match body.bytes().next() {
            Some(b'+') => ("", ",", RESERVED),
            Some(b'#') => ("#", ",", RESERVED),
            Some(b'.') => (r"\.", r"\.", UNRESERVED),
            Some(b'/') => ("/", "/", UNRESERVED),
            Some(b';') => (";", ";", UNRESERVED_EQUALS),
            Some(b'?') => (r"\?", "&", UNRESERVED_EQUALS),
            Some(b'&') => ("&", "&", UNRESERVED_EQUALS),
            _ => ("", ",", UNRESERVED),
        };
        let list = body.strip_prefix(['+', '#', '.', '/', ';', '?', '&']);
        let operator = Self {
            opener,
            separator,
            class,
        };
        (operator, list.unwrap_or(body))
    }

    /// What a value is made of; an exploded one may be a pair, so it may hold `=`.
    fn class(&self, exploded: bool) -> &'static str {
        match self.class {
            UNRESERVED if exploded => UNRESERVED_EQUALS,
            class => class,
        }
    }
}

const UNRESERVED: &str = r"(?:[,A-Za-z0-9\-._~]|%[0-9A-Fa-f]{2})*";
const UNRESERVED_EQUALS: &str = r"(?:[,=A-Za-z0-9\-._~]|%[0-9A-Fa-f]{2})*";
const RESERVED: &str = r"(?:[A-Za-z0-9\-._~!#$&'()*+,/:;=?@\[\]]|%[0-9A-Fa-f]{2})*";

/// Whether a variable has the modifier `*`; `None` when it is no variable.
fn explodes(variable: &str) -> Option<bool> {
    if let Some(name) = variable.strip_suffix('*') {
        return check_name(name).map(|()| true);
    }
    let Some((name, length)) = variable.split_once(':') else {
        return check_name(variable).map(|()| false);
    };
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    let in_range = (1..=4).contains(&length.len()) && !length.starts_with('0');
    (digits && in_range)
        .then(|| check_name(name))?
        .map(|()| false)
}

/// `None` unless `name` is made of non-empty parts with single dots between them.
fn check_name(name: &str) -> Option<()> {
    let part = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '%';
        !part.is_empty() && part.chars().all(allowed) && triplets_are_whole(part)
    };
    name.split('.').all(part).then_some(())
}

/// `None` when `text` holds a character that may only stand inside an expression, or nowhere.
fn check_literal(text: &str) -> Option<()> {
    (text.chars().all(is_literal) && triplets_are_whole(text)).then_some(())
}

/// RFC 6570's `literals` as D0-M8 has them, `%` included; what follows it is another question.
fn is_literal(c: char) -> bool {
    match c {
        '\0'..='\u{7f}' => c.is_ascii_alphanumeric() || "!#$%&'()*+,-./:;=?@[]_~".contains(c),
        // Neither controls nor noncharacters; the last two of every plane are noncharacters.
        '\u{80}'..='\u{9f}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fff0}'..='\u{ffff}'
        | '\u{e0000}'..='\u{e0fff}' => false,
        _ => u32::from(c) & 0xfffe != 0xfffe,
    }
}

/// Whether two hexadecimal digits follow each `%`.
fn triplets_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let mut bytes = after.bytes();
        let mut digit = || bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        digit() && digit()
    })
}

#[cfg(test)]
mod tests;
