//! What others may see of URLs and headers (RC-32).

use std::fmt;

use http::{HeaderMap, HeaderName};
use url::Url;

/// A URL without its user, its password and its `authorization` parameter.
pub(crate) struct Masked<'a>(pub(crate) &'a Url);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        if !url.username().is_empty() || url.password().is_some() {
            // They fail for URLs that have no host, and those have no user either.
            let _ = url.set_username("redacted");
            let _ = url.set_password(None);
        }
        if url.query_pairs().any(|(name, _)| is_secret(&name)) {
            let mut query = url.query_pairs_mut();
            query.clear();
            for (name, value) in self.0.query_pairs() {
                let value = match is_secret(&name) {
                    true => "redacted",
                    false => &value,
                };
                query.append_pair(&name, value);
            }
        }
        f.write_str(url.as_str())
    }
}

fn is_secret(name: &str) -> bool {
    name == "authorization"
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `headers`, with `secrets` among them marked so that `Debug` hides their values.
pub(crate) fn masked_headers(headers: &HeaderMap, secrets: &[HeaderName]) -> HeaderMap {
    let mut headers = headers.clone();
    for name in secrets {
        if let http::header::Entry::Occupied(mut values) = headers.entry(name) {
            values
                .iter_mut()
                .for_each(|value| value.set_sensitive(true));
        }
    }
    headers
}
