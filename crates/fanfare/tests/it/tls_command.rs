//! TLS on the command line: what is refused, what development makes, and who trusts it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fanfare::tls::SelfSigned;
use rustix::process::Signal;

use crate::program::{Program, READY, fanfare, fanfare_with, refused};

#[expect(
    clippy::disallowed_methods,
    reason = "a certificate ends by the wall clock"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Writes a certificate that was made `age` ago, with its key, into `folder`.
fn write(folder: &Path, age: Duration) -> (String, String) {
    let made = SelfSigned::new(now() - age).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&certificate, made.certificate).unwrap();
    fs::write(&key, made.key).unwrap();
    let text = |path: std::path::PathBuf| path.display().to_string();
    (text(certificate), text(key))
}

#[test]
fn wrong_files_end_with_2_and_say_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = write(folder.path(), Duration::ZERO);
    let other = tempfile::tempdir().unwrap();
    let (_, other_key) = write(other.path(), Duration::ZERO);
    let empty = folder.path().join("empty.pem").display().to_string();
    fs::write(&empty, "").unwrap();
    let broken = folder.path().join("broken.pem").display().to_string();
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(&broken, text).unwrap();

    for (certificate, key, parts) in [
        (
            "missing.pem",
            &*key,
            &["cannot read missing.pem", "No such file"][..],
        ),
        (&certificate, "missing.pem", &["cannot read missing.pem"]),
        (&empty, &key, &["empty.pem", "BEGIN CERTIFICATE"]),
        (&key, &key, &["key.pem", "BEGIN CERTIFICATE"]),
        (&broken, &key, &["broken.pem", "no X.509 certificate"]),
        (&certificate, &empty, &["empty.pem", "BEGIN PRIVATE KEY"]),
        (
            &certificate,
            &certificate,
            &["BEGIN PRIVATE KEY", "passphrase"],
        ),
        (&certificate, &other_key, &["not that of the certificate"]),
    ] {
        for command in ["serve", "check-config"] {
            let ended = fanfare(&[
                command,
                "--dev",
                "--listen=127.0.0.1:0",
                "--tls-cert",
                certificate,
                "--tls-key",
                key,
            ]);
            refused(&ended, 2, parts);
        }
    }
    let alone = ["serve", "--dev", "--tls-cert", &certificate];
    refused(&fanfare(&alone), 2, &["`tls-key` is not"]);
    let alone = ["serve", "--dev", "--tls-key", &key];
    refused(&fanfare(&alone), 2, &["`tls-cert` is not"]);
    let earnest = ["serve", "--anonymous", "--publisher-jwt-key=x", "--tls"];
    refused(
        &fanfare(&earnest),
        2,
        &["`dev`", "`tls-cert` and `tls-key`"],
    );
}

#[test]
fn a_certificate_that_has_ended_is_told_and_served() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = write(folder.path(), Duration::from_secs(400 * 86_400));
    let files = ["--tls-cert", &certificate, "--tls-key", &key];
    let ended = fanfare(&[&["check-config", "--dev"][..], &files].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stderr.contains("the certificate ended on"),
        "{ended:?}"
    );
    let (_hub, url) = Program::serve(&[&["--dev"][..], &files].concat());
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
}

#[test]
fn development_makes_a_certificate_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let broker = format!("--broker=sqlite:{}", folder.path().display());
    let arguments = ["serve", "--dev", "--tls", "--listen=127.0.0.1:0", &broker];
    let certificate = folder.path().join("localhost-cert.pem");
    let trusted = certificate.display().to_string();
    let mut kept = Vec::new();
    for _ in 0..2 {
        let hub = Program::start(&arguments);
        let shown = hub.line_that(|line| line.contains("curl"));
        assert!(shown.contains(&format!("--cacert '{trusted}' ")), "{shown}");
        assert!(shown.contains("'https://127.0.0.1:"), "{shown}");
        let ready = hub.line_that(|line| line.starts_with(READY));
        let url = ready.trim_start_matches(READY);
        // Whom the system trusts can be said to every command.
        let healthcheck = ["healthcheck", "--url", url];
        let trusting = fanfare_with(&[("SSL_CERT_FILE", &trusted)], &healthcheck);
        assert_eq!(trusting.code, Some(0), "{trusting:?}");
        refused(&fanfare(&healthcheck), 1, &["certificate"]);
        kept.push(fs::read_to_string(&certificate).unwrap());
    }
    assert_eq!(kept[0], kept[1]);
    let key = fs::metadata(folder.path().join("localhost-key.pem")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn bench_counts_every_event_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let broker = format!("--broker=sqlite:{}", folder.path().display());
    let hub = Program::start(&["serve", "--dev", "--tls", "--listen=127.0.0.1:0", &broker]);
    let ready = hub.line_that(|line| line.starts_with(READY));
    let url = ready.trim_start_matches(READY);
    let trusted = folder.path().join("localhost-cert.pem");
    let trusted = trusted.display().to_string();
    // Events of more than one TLS record, many of them at once.
    let bench = [
        "bench",
        url,
        "--subscribers=50",
        "--in-flight=8",
        "--size=40000",
        "--duration=300ms",
        "--json",
    ];
    let ended = fanfare_with(&[("SSL_CERT_FILE", &trusted)], &bench);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let published = report["published"].as_u64().unwrap();
    assert!(published >= 8, "{report}");
    assert_eq!(report["received"], published * 50, "{report}");
    refused(&fanfare(&bench), 5, &["certificate"]);
}

#[test]
fn sighup_reads_the_certificate_again() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = write(folder.path(), Duration::ZERO);
    let files = ["--tls-cert", &certificate, "--tls-key", &key];
    let (hub, url) = Program::serve(&[&["--dev", "--broker=memory"][..], &files].concat());
    fs::write(&key, "nothing").unwrap();
    hub.signal(Signal::HUP);
    let line = hub.log_line_that(|line| line.contains("the old certificate is kept"));
    assert!(line.contains("BEGIN PRIVATE KEY"), "{line}");
    write(folder.path(), Duration::ZERO);
    hub.signal(Signal::HUP);
    hub.log_line_that(|line| line.contains("a new certificate is shown"));
    let healthcheck = ["healthcheck", "--url", &url];
    let trusting = fanfare_with(&[("SSL_CERT_FILE", &certificate)], &healthcheck);
    assert_eq!(trusting.code, Some(0), "{trusting:?}");
}
