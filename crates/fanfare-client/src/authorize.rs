//! Headers that are made anew for each attempt.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderMap;

/// An async function that gives the headers of the next attempt, a fresh token among them.
///
/// ```
/// use fanfare_client::config::{Authorize, bearer};
/// use http::HeaderMap;
/// use http::header::AUTHORIZATION;
///
/// let authorize = Authorize::new(|| async {
///     let token = "fetched from wherever tokens are made";
///     Ok(HeaderMap::from_iter([(AUTHORIZATION, bearer(token)?)]))
/// });
/// # drop(authorize);
/// ```
#[derive(Clone)]
pub struct Authorize(Arc<AuthorizeFn>);

type AuthorizeFn = dyn Fn() -> Pin<Box<dyn Future<Output = Headers> + Send>> + Send + Sync;
type Headers = Result<HeaderMap, AuthorizeError>;

/// Why there are no headers; the attempt counts as failed, and the next one asks again.
pub type AuthorizeError = Box<dyn Error + Send + Sync>;

impl Authorize {
    /// Asks `authorize` before every attempt. Its future is dropped if the source is.
    pub fn new<F>(authorize: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<HeaderMap, AuthorizeError>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(authorize())))
    }

    pub(crate) async fn headers(&self) -> Headers {
        (self.0)().await
    }
}

impl fmt::Debug for Authorize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorize").finish_non_exhaustive()
    }
}
