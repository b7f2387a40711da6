//! curl and Chromium over TLS.

use serde_json::json;

use crate::chromium::Browser;
use crate::program::Program;

/// A hub with a certificate of its own, and the flags with which curl trusts it.
fn hub() -> (tempfile::TempDir, Program, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let broker = format!("--broker=sqlite:{}", folder.path().display());
    let (hub, url) = Program::serve(&["--dev", "--tls", &broker]);
    let certificate = folder.path().join("localhost-cert.pem");
    let trusting = format!("--cacert '{}'", certificate.display());
    (folder, hub, url, trusting)
}

#[test]
fn s26_curl_speaks_http_2_and_1_1_over_tls() {
    let (_folder, _hub, url, trusting) = hub();
    for (version, line) in [("--http2", "HTTP/2 200"), ("--http1.1", "HTTP/1.1 200 OK")] {
        let stream = format!("{url}/events?topic={line}").replace(' ', "+");
        let subscriber = format!("exec curl -siN {trusting} {version} '{stream}'");
        let subscriber = Program::paste(&subscriber);
        subscriber.line_that(|it| it.trim_end() == line);
        subscriber.line_that(|it| it == ": connection established");
        let body = json!({ "topic": line, "data": "hello" });
        let publisher = format!("exec curl -si {trusting} {version} -d '{body}' {url}/broadcast");
        let publisher = Program::paste(&publisher).wait();
        assert!(publisher.stdout.starts_with(line), "{publisher:?}");
        subscriber.line_that(|it| it == "data: hello");
    }
    for (flags, works) in [
        ("--tlsv1.2 --tls-max 1.2", true),
        ("--tlsv1.3", true),
        ("--tls-max 1.1", false),
    ] {
        let asked = format!("exec curl -s {trusting} {flags} {url}/healthz");
        let asked = Program::paste(&asked).wait();
        assert_eq!(asked.code == Some(0), works, "{flags}: {asked:?}");
    }
    // Without being told, nobody trusts it.
    let stranger = Program::paste(&format!("exec curl -s {url}/healthz")).wait();
    assert_ne!(stranger.code, Some(0), "{stranger:?}");
}

#[tokio::test]
async fn the_page_of_development_works_over_tls() {
    let (_folder, _hub, url, _) = hub();
    let browser = Browser::start("tls").await;
    browser.open(&url).await;
    browser
        .run(
            "window.seen = [];
             window.source = new EventSource('/events?topic=t');
             source.onmessage = event => seen.push(event.data);",
        )
        .await;
    browser.wait_for("source.readyState", 1).await;
    browser
        .run("fetch('/broadcast', { method: 'POST', body: '{\"topic\":\"t\",\"data\":\"x\"}' })")
        .await;
    browser.wait_for("seen", json!(["x"])).await;
    let protocol = "performance.getEntriesByType('navigation')[0].nextHopProtocol";
    browser.wait_for(protocol, "h2").await;
}
