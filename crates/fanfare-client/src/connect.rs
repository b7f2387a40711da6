//! One attempt: from the request to the head of a stream, over all redirects.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fanfare_wire::EventId;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, LOCATION, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use reqwest::{Body, Response};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::answer::{Fault, Meaning, meaning, retry_after};
use crate::config::Config;
use crate::error::{Cause, InvalidRedirect, chain, is_certificate, without_url};
use crate::item::Opened;
use crate::mask::masked_headers;
use crate::redirect::{Leave, Route, is_permanent};
use crate::request::request;

/// What one attempt needs; the future owns it.
pub(crate) struct Attempt {
    pub(crate) client: reqwest::Client,
    pub(crate) config: Arc<Config>,
    pub(crate) route: Route,
    pub(crate) cursor: EventId,
}

/// How an attempt ended.
pub(crate) enum Outcome {
    Open(Box<Answered>),
    Retry {
        cause: Cause,
        retry_after: Option<Duration>,
    },
    End,
    Fail(Cause),
}

/// An attempt that brought a stream.
pub(crate) struct Answered {
    pub(crate) opened: Opened,
    pub(crate) body: Body,
    /// Where the next attempt begins, if the server moved for good (RC-19).
    pub(crate) moved: Option<Route>,
}

impl Attempt {
    /// Makes the attempt. Dropping the future closes its connection.
    pub(crate) async fn run(self) -> Outcome {
        let mut authorization = match self.authorization().await {
            Ok(headers) => headers,
            Err(outcome) => return outcome,
        };
        let mut asked_again = false;
        loop {
            let (response, route, permanent) = match self.answer(&authorization).await {
                Ok(answer) => answer,
                Err(outcome) => return outcome,
            };
            let (status, headers) = (response.status(), response.headers());
            match meaning(status, headers, &self.config.policy) {
                Meaning::Open => {
                    return open(response, permanent.then_some(route));
                }
                Meaning::Authorize if !asked_again && self.config.authorize.is_some() => {
                    let renewed = match self.authorization().await {
                        Ok(headers) => headers,
                        Err(outcome) => return outcome,
                    };
                    if renewed == authorization {
                        return Outcome::Fail(self.refusal(response).await);
                    }
                    asked_again = true;
                    authorization = renewed;
                }
                Meaning::Retry => {
                    let retry_after = retry_after(headers, now());
                    let cause = self.refusal(response).await;
                    return Outcome::Retry { cause, retry_after };
                }
                Meaning::End => return Outcome::End,
                Meaning::Fail(Fault::Encoding) => {
                    let content_encoding = text_of(headers, &CONTENT_ENCODING);
                    return Outcome::Fail(Cause::Encoded { content_encoding });
                }
                Meaning::Fail(Fault::ContentType) => {
                    let content_type = text_of(headers, &CONTENT_TYPE);
                    let body = self.beginning(response).await;
                    return Outcome::Fail(Cause::NotAStream { content_type, body });
                }
                Meaning::Authorize | Meaning::Follow | Meaning::Fail(Fault::Status) => {
                    return Outcome::Fail(self.refusal(response).await);
                }
            }
        }
    }

    async fn authorization(&self) -> Result<HeaderMap, Outcome> {
        let Some(authorize) = &self.config.authorize else {
            return Ok(HeaderMap::new());
        };
        authorize.headers().await.map_err(|error| Outcome::Retry {
            cause: Cause::Authorize(error),
            retry_after: None,
        })
    }

    /// The first answer that leads nowhere else, where it was, and whether for good.
    async fn answer(&self, authorization: &HeaderMap) -> Result<(Response, Route, bool), Outcome> {
        let leave = Leave {
            insecure: self.config.insecure_redirect,
            body_across_origins: self.config.body_across_origins,
        };
        let redirects_max = self.config.redirects_max;
        let mut route = self.route.clone();
        let mut permanent = true;
        for followed in 0..=redirects_max {
            let response = self.send(&route, authorization).await?;
            let status = response.status();
            if meaning(status, response.headers(), &self.config.policy) != Meaning::Follow {
                return Ok((response, route, permanent && followed > 0));
            }
            permanent &= is_permanent(status);
            let next = route.follow(status, response.headers().get(LOCATION), leave);
            route = next.map_err(|source| failed_redirect(status, source))?;
            if followed == redirects_max {
                let source = InvalidRedirect::TooMany { redirects_max };
                return Err(failed_redirect(status, source));
            }
        }
        // `0..=n` has a round, and each round ends in a return or in the next.
        Err(Outcome::Fail(Cause::Ended))
    }

    async fn send(&self, route: &Route, authorization: &HeaderMap) -> Result<Response, Outcome> {
        let request = request(&self.config, route, authorization, &self.cursor);
        let head_timeout = self.config.head_timeout;
        let sent = self.client.execute(request);
        match timeout(head_timeout, sent).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(unreachable(error)),
            Err(_) => Err(Outcome::Retry {
                cause: Cause::HeadTimeout { head_timeout },
                retry_after: None,
            }),
        }
    }

    async fn refusal(&self, response: Response) -> Cause {
        let status = response.status();
        let body = self.beginning(response).await;
        match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Cause::ProxyCredentials,
            status => Cause::Status { status, body },
        }
    }

    /// The first bytes of a body that is no stream, as text; what does not come is left out.
    async fn beginning(&self, mut response: Response) -> String {
        let mut body = Vec::new();
        let deadline = Instant::now() + self.config.head_timeout.min(BODY_TIMEOUT);
        while body.len() < BODY_BYTES_MAX
            && let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(BODY_BYTES_MAX);
        String::from_utf8_lossy(&body).into_owned()
    }
}

/// For people: enough to see what is there.
const BODY_BYTES_MAX: usize = 256;
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

fn open(response: Response, moved: Option<Route>) -> Outcome {
    let url: Url = response.url().clone();
    let (parts, body) = http::Response::<Body>::from(response).into_parts();
    Outcome::Open(Box::new(Answered {
        opened: Opened {
            url,
            headers: masked_headers(&parts.headers, &[SET_COOKIE]),
        },
        body,
        moved,
    }))
}

fn failed_redirect(status: StatusCode, source: InvalidRedirect) -> Outcome {
    Outcome::Fail(Cause::Redirect { status, source })
}

/// What it means that a request has no answer.
fn unreachable(error: reqwest::Error) -> Outcome {
    if is_certificate(&error) {
        return Outcome::Fail(Cause::Certificate(without_url(error)));
    }
    if chain(&error).any(is_proxy_refusal) {
        return Outcome::Fail(Cause::ProxyCredentials);
    }
    Outcome::Retry {
        cause: Cause::Unreachable(without_url(error)),
        retry_after: None,
    }
}

/// Whether a proxy answered CONNECT with 407; the error's type has no name outside of its crate.
fn is_proxy_refusal(error: &(dyn std::error::Error + 'static)) -> bool {
    error.source().is_none() && error.to_string() == "tunnel error: proxy authorization required"
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let texts: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    texts.join(", ")
}

#[expect(clippy::disallowed_methods, reason = "`Retry-After` may be a date")]
fn now() -> SystemTime {
    SystemTime::now()
}
