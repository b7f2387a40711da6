//! Gets the document of a JWK Set, at a bounded cost.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use http::StatusCode;
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::task::spawn_blocking;
use url::Url;

use super::Limits;

/// Gets what is at `url`, which has been checked.
pub(super) async fn fetch(url: &Url, limits: &Limits) -> Result<Vec<u8>, FetchError> {
    match url.to_file_path() {
        Ok(path) if url.scheme() == "file" => {
            let bytes_max = limits.bytes_max;
            let read = spawn_blocking(move || read(path, bytes_max)).await;
            read.unwrap_or_else(|panic| Err(FetchError::File(panic.into())))
        }
        _ => get(url, limits).await,
    }
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the issuer cannot be reached, or does not speak HTTP")]
    Http(#[source] reqwest::Error),
    #[error("the issuer answers {0}; redirects are not followed")]
    Status(StatusCode),
    #[error("the file cannot be read")]
    File(#[source] io::Error),
    #[error("the document has more than {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    #[error("it takes too long")]
    Slow,
    #[error("the document is no JWK Set")]
    Document(#[source] serde_json::Error),
}

async fn get(url: &Url, limits: &Limits) -> Result<Vec<u8>, FetchError> {
    let bytes_max = limits.bytes_max;
    let mut response = client(url, limits)?.get(url.clone()).send().await?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let mut document = Vec::new();
    // What the issuer says of the length may be wrong, what has come cannot.
    while let Some(chunk) = response.chunk().await? {
        document.extend_from_slice(&chunk);
        if document.len() > bytes_max {
            return Err(FetchError::TooLarge { bytes_max });
        }
    }
    Ok(document)
}

/// A client for one fetch: minutes pass until the next, so there is no connection to keep.
fn client(url: &Url, limits: &Limits) -> Result<Client, FetchError> {
    let client = Client::builder()
        // Whoever can redirect could make the hub ask what only the hub can reach (S5).
        .redirect(Policy::none())
        .connect_timeout(limits.connect_timeout)
        .timeout(limits.timeout)
        .user_agent(concat!("fanfare/", env!("CARGO_PKG_VERSION")));
    // Plain HTTP must work also where the system has no list of authorities.
    let client = match url.scheme() {
        "http" => client.tls_certs_only([]),
        _ => client,
    };
    Ok(client.build()?)
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        // The URL may hold a password.
        Self::Http(error.without_url())
    }
}

fn read(path: PathBuf, bytes_max: usize) -> Result<Vec<u8>, FetchError> {
    let mut document = Vec::new();
    // One byte more than allowed tells that there are more.
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let file = File::open(path).map_err(FetchError::File)?;
    let mut file = file.take(limit.saturating_add(1));
    file.read_to_end(&mut document).map_err(FetchError::File)?;
    if document.len() > bytes_max {
        return Err(FetchError::TooLarge { bytes_max });
    }
    Ok(document)
}
