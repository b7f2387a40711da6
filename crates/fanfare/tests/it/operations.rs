//! `/healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;

use fanfare_broker::Health;
use fanfare_testkit::raw_http::ask;

use crate::failing_broker::FailingBroker;
use crate::fixture::{HUB, bearer, post_form, serve, serve_broker, token};
use crate::program::Program;

#[tokio::test]
async fn health_and_readiness() {
    let server = serve(|_| {}).await;
    for target in ["/healthz", "/readyz"] {
        assert_eq!(server.get(target).await.status, 200);
    }
}

#[tokio::test]
async fn w10_readiness_names_the_broker_and_what_may_be_lost() {
    let broker = Arc::new(FailingBroker::default());
    let server = serve_broker(broker.clone(), fanfare_hub::Config::default(), |_| {}).await;
    let why = || "the disk is slow".to_owned();
    for (health, status, mercure, first) in [
        (Health::Ready, 200, 200, "ready"),
        (
            Health::Degraded { why: why() },
            200,
            200,
            "degraded: the disk is slow",
        ),
        (
            Health::Failed { why: why() },
            503,
            503,
            "failed: the disk is slow",
        ),
    ] {
        *broker.health.lock().unwrap() = Some(health);
        let answer = server.get("/readyz").await;
        let lines: Vec<&str> = answer.body.lines().collect();
        let rest = [
            "broker: memory",
            "may be lost: everything, when the process ends",
        ];
        assert_eq!(
            (answer.status, lines[0], &lines[1..]),
            (status, first, &rest[..])
        );
        assert_eq!(server.get("/mercure/health/ready").await.status, mercure);
        assert_eq!(
            server.get("/healthz").await.status,
            200,
            "the process answers"
        );
    }
}

#[tokio::test]
async fn op_13_health_by_mercures_paths() {
    let server = serve(|_| {}).await;
    for name in ["", "/default"] {
        for question in ["live", "ready"] {
            let answer = server
                .get(&format!("/mercure/health{name}/{question}"))
                .await;
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (200, r#"{"status":"ok"}"#)
            );
            assert_eq!(answer.field("content-type"), Some("application/json"));
        }
    }
    assert_eq!(server.get("/mercure/health/other/ready").await.status, 404);
    let post = "POST /mercure/health/ready HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(server.ask(post).await.status, 405);
}

#[tokio::test]
async fn op_14_metrics_by_both_names() {
    let server = serve(|_| {}).await;
    let _peer = server.subscribe("topic=a", "").await;
    server.publish("topic=a").await;
    server.get("/nowhere").await;
    server.wait_for_subscribers(1).await;
    let answer = server.get("/metrics").await;
    let content_type = answer.field("content-type").unwrap();
    assert!(content_type.starts_with("application/openmetrics-text"));
    for line in [
        "mercure_subscribers_connected 1",
        "mercure_subscribers_total 1",
        "mercure_updates_total 1",
        "fanfare_subscribers 1",
        "fanfare_published_total 1",
        "fanfare_refusals_total{reason=\"not_found\"} 1",
        // Of the five so far, this one is still open.
        "fanfare_connections_accepted_total 4",
        "# EOF",
    ] {
        let found = answer.body.lines().any(|found| found == line);
        assert!(found, "{line}\n{}", answer.body);
    }
}

/// Every arrival was counted as an update of a publisher.
#[tokio::test]
async fn op_14_presence_is_no_update() {
    let server = serve(|config| config.subscriptions = true).await;
    let _peer = server.subscribe("topic=a&topic=b", "").await;
    server.publish("topic=a").await;
    let bearer = bearer(&token(&["*"], &[]));
    let again = format!("{bearer}Idempotency-Key: k\r\n");
    for _ in 0..2 {
        server.ask(post_form(HUB, &again, "topic=a")).await;
    }
    let metrics = server.get("/metrics").await.body;
    for line in ["mercure_updates_total 2", "fanfare_published_total 6"] {
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }
}

#[tokio::test]
async fn hub_whose_log_nobody_reads_any_more_answers_on() {
    let key = "a key for tests, with enough bytes for HMAC";
    let (mut hub, url) = Program::serve(&["--publisher-jwt-key", key, "--anonymous"]);
    let address = url.trim_start_matches("http://").parse().unwrap();
    hub.deaf_to_stderr();
    // The first line ends its reader, and the later ones go into a pipe without an end.
    for _ in 0..10 {
        let refused = ask(
            address,
            "POST /.well-known/mercure HTTP/1.1\r\nHost: h\r\n\r\n",
        )
        .await;
        assert_eq!(refused.status, 401);
    }
}
