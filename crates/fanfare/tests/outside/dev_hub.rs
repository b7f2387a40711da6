//! A hub in development mode: the program, and what it tells a newcomer.

use std::time::Duration;

use tokio::time::{interval, timeout};

use crate::program::{DEADLINE, Program, READY, fanfare};

/// `fanfare serve --dev`, killed when dropped.
pub(crate) struct DevHub {
    pub(crate) url: String,
    pub(crate) token: String,
    program: Program,
}

impl DevHub {
    /// Starts one on a free port.
    pub(crate) fn start() -> Self {
        Self::start_with(&["--listen", "127.0.0.1:0"])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let program = Program::start(&[&["serve", "--dev"], arguments].concat());
        let mut introduction = Vec::new();
        let url = loop {
            let line = program.line();
            if let Some(url) = line.strip_prefix(READY) {
                break url.to_owned();
            }
            introduction.push(line);
        };
        let mut lines = introduction.iter();
        let token = lines
            .find(|line| *line == "publisher token:")
            .and(lines.next());
        let token = token
            .expect("a token in the introduction")
            .trim()
            .to_owned();
        Self {
            url,
            token,
            program,
        }
    }

    /// `127.0.0.1:3000`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Publishes with the command line, as people do, and returns the event's id.
    pub(crate) fn publish(&self, topic: &str, data: &str) -> String {
        let arguments = [
            "publish",
            topic,
            data,
            "--url",
            &self.url,
            "--token",
            &self.token,
        ];
        let ended = fanfare(&arguments);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout.trim().to_owned()
    }

    /// How many subscribers it says it has.
    pub(crate) fn subscribers(&self) -> usize {
        let metrics = Program::paste(&format!("exec curl -s {}/metrics", self.url)).wait();
        let mut lines = metrics.stdout.lines();
        let count = lines.find_map(|line| line.strip_prefix("fanfare_subscribers "));
        count.expect("a count of subscribers").parse().unwrap()
    }

    /// Ends it as a crash would, and returns the address that is free now.
    pub(crate) fn crash(self) -> String {
        drop(self.program);
        self.url.trim_start_matches("http://").to_owned()
    }
}

/// Waits until `holds` does.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let mut ticks = interval(Duration::from_millis(20));
    let wait = async {
        while !holds().await {
            ticks.tick().await;
        }
    };
    assert!(
        timeout(DEADLINE, wait).await.is_ok(),
        "not within {DEADLINE:?}: {what}"
    );
}
