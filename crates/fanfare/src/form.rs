//! `application/x-www-form-urlencoded`: queries, read leniently, and bodies, read strictly.

use percent_encoding::percent_decode;

/// Names and values in the sender's order.
///
/// Values are bytes until somebody asks for text: what is not asked for is ignored, also when it
/// is not UTF-8.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Form(Vec<(Vec<u8>, Vec<u8>)>);

impl Form {
    /// Reads a query; pairs with a broken `%` or a raw `;` are dropped in silence (D0-S4).
    pub(crate) fn from_query(query: &str) -> Self {
        let pairs = query.as_bytes().split(|&byte| byte == b'&');
        Self(pairs.filter_map(|pair| decode_pair(pair).ok()?).collect())
    }

    /// Reads a body.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self, BadForm> {
        let pairs = body.split(|&byte| byte == b'&');
        let pairs = pairs.filter_map(|pair| decode_pair(pair).transpose());
        pairs.collect::<Result<_, _>>().map(Self)
    }

    /// The pairs of `other` after those that are there.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// All names, as they came.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|(name, _)| name.as_slice())
    }

    /// Whether `name` occurs, with whatever value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The first value of `name` as it came.
    pub(crate) fn first_bytes(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The first value of `name`; an empty one counts as absent.
    pub(crate) fn first(&self, name: &'static str) -> Result<Option<&str>, BadForm> {
        let first = self.values(name).next();
        let text = first.map(|value| as_text(name, value)).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// All values of `name`, empty ones too.
    pub(crate) fn all(&self, name: &'static str) -> Result<Vec<&str>, BadForm> {
        self.values(name)
            .map(|value| as_text(name, value))
            .collect()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let pairs = self.0.iter();
        pairs.filter_map(move |(key, value)| (key == name.as_bytes()).then_some(value.as_slice()))
    }
}

/// Why a form, or a value in it, cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BadForm {
    #[error("a `%` in the form is not followed by two hexadecimal digits")]
    Percent,
    #[error("a `;` in the form must be written as %3B; pairs are separated by `&`")]
    Semicolon,
    #[error("`{name}` must be UTF-8, percent-encoded")]
    NotUtf8 { name: &'static str },
}

type Pair = (Vec<u8>, Vec<u8>);

fn decode_pair(pair: &[u8]) -> Result<Option<Pair>, BadForm> {
    if pair.is_empty() {
        return Ok(None);
    }
    if pair.contains(&b';') {
        return Err(BadForm::Semicolon);
    }
    let mut halves = pair.splitn(2, |&byte| byte == b'=');
    let name = decode(halves.next().unwrap_or_default())?;
    let value = decode(halves.next().unwrap_or_default())?;
    Ok(Some((name, value)))
}

fn decode(text: &[u8]) -> Result<Vec<u8>, BadForm> {
    let mut escapes = text.split(|&byte| byte == b'%').skip(1);
    let whole = |escape: &[u8]| matches!(escape, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if !escapes.all(whole) {
        return Err(BadForm::Percent);
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|&b| if b == b'+' { b' ' } else { b })
        .collect();
    Ok(percent_decode(&spaced).collect())
}

fn as_text<'a>(name: &'static str, value: &'a [u8]) -> Result<&'a str, BadForm> {
    str::from_utf8(value).map_err(|_| BadForm::NotUtf8 { name })
}

#[cfg(test)]
mod tests;
