//! Chromium without a window, driven through its own driver.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::id;

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::dev_hub::until;
use crate::program::Program;

/// One browser with an empty profile; it ends when dropped, also by a test that fails.
pub(crate) struct Browser {
    client: Client,
    profile: PathBuf,
    /// The driver's address.
    address: String,
    driver: Option<Program>,
}

impl Browser {
    /// Starts one whose profile is called `name`.
    pub(crate) async fn start(name: &str) -> Self {
        let driver = Program::paste("exec chromedriver --port=0");
        let ready = driver.line_that(|line| line.contains("successfully on port "));
        let (_, port) = ready.rsplit_once(' ').unwrap();
        let address = format!("127.0.0.1:{}", port.trim_end_matches('.'));
        let profile = format!("chromium-{name}-{}", id());
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(profile);
        fs::create_dir(&profile).unwrap();

        let profile_flag = format!("--user-data-dir={}", profile.display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([profile_flag.as_str()]).collect();
        let options = json!({ "goog:chromeOptions": { "args": flags } });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(options.as_object().unwrap().clone())
            .connect(&format!("http://{address}"))
            .await
            .unwrap();
        Self {
            client,
            profile,
            address,
            driver: Some(driver),
        }
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Runs `script` in the page and returns what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Waits until `expression`, in the page, is `expected`.
    pub(crate) async fn wait_for(&self, expression: &str, expected: impl Into<Value>) {
        let script = format!("return {expression}");
        let expected = expected.into();
        let mut found = Value::Null;
        let what = format!("{expression} = {expected}");
        until(&what, async || {
            found = self.run(&script).await;
            found == expected
        })
        .await;
    }

    /// Leaves a picture of the page for people, `target/tmp/<name>.png`.
    pub(crate) async fn picture(&self, name: &str) {
        let png = self.client.screenshot().await.unwrap();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        fs::write(path, png).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser first; killed, it would leave it running.
        let asked = TcpStream::connect(&self.address).and_then(|mut driver| {
            driver.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
            driver.read(&mut [0; 1024])
        });
        if let Some(driver) = self.driver.take().filter(|_| asked.is_ok()) {
            driver.wait();
        }
        _ = fs::remove_dir_all(&self.profile);
    }
}

const FLAGS: [&str; 11] = [
    "--headless=new",
    // Inside a container there is no user namespace for its sandbox.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Hubs in development vouch for themselves.
    "--ignore-certificate-errors",
];
