use http::header::{LOCATION, SERVER};
use http::{HeaderName, HeaderValue};

use super::super::observations::Encoded;
use super::super::remedy::Action;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// What a good proxy lets through.
fn well() -> Observations {
    Observations {
        tls: true,
        here: false,
        token: true,
        origin: None,
        patience: 5 * SECOND,
        opening: Opening::Answered(head(&[])),
        encoded: None,
        first_byte: Some(Duration::ZERO),
        publishing: Publishing::Stored,
        deliveries: vec![Delivery::AtOnce(Duration::from_millis(3)); 3],
        awkward: Some(Delivery::AtOnce(Duration::ZERO)),
        resumed: Some(Resumed::Exactly),
        idle: Some(idle(5, None)),
    }
}

fn head(changed: &[(HeaderName, &'static str)]) -> Head {
    let mut headers = HeaderMap::new();
    let usual = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache, no-store, no-transform"),
    ];
    for (name, value) in usual.into_iter().chain(changed.iter().cloned()) {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Head {
        status: StatusCode::OK,
        version: Version::HTTP_2,
        headers,
        text: String::new(),
    }
}

fn idle(heartbeats: usize, end: Option<End>) -> Idle {
    Idle {
        planned: 75 * SECOND,
        heartbeats,
        silence_max: 18 * SECOND,
        end,
        event_after: Some(true),
    }
}

fn with(change: impl FnOnce(&mut Observations)) -> Observations {
    let mut seen = well();
    change(&mut seen);
    seen
}

fn with_head(head: Head) -> Observations {
    with(|seen| seen.opening = Opening::Answered(head))
}

/// `name`, and nothing else, is `verdict`; some line of its changes holds `line`.
#[track_caller]
fn check(seen: &Observations, name: &str, verdict: Verdict, line: &str) {
    let findings = judge(seen);
    let wrong: Vec<_> = findings
        .iter()
        .filter(|it| it.verdict != Verdict::Ok)
        .collect();
    let [only] = *wrong else {
        panic!("one finding, not {wrong:#?}");
    };
    assert_eq!((only.name, only.verdict), (name, verdict), "{only:?}");
    let mut lines = only.change.iter().map(|it| it.line);
    match line {
        "" => assert_eq!(lines.next(), None),
        _ => assert!(lines.any(|it| it.contains(line)), "{only:?}"),
    }
}

#[test]
fn what_is_well_is_ok_throughout() {
    let findings = judge(&well());
    assert_eq!(findings.len(), 10);
    assert!(findings.iter().all(|it| it.verdict == Verdict::Ok));
    assert!(findings.iter().all(|it| it.change.is_empty()));
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn each_fault_is_one_finding() {
    use Delivery::{AtOnce, Late, Never};
    use Verdict::{Fail, Unknown, Warn};
    let at_once = AtOnce(Duration::ZERO);
    let table = [
        (
            with(|it| it.opening = Opening::Held),
            "first-bytes",
            Fail,
            "proxy_buffering off;",
        ),
        (
            with(|it| it.first_byte = None),
            "first-bytes",
            Fail,
            "proxy_buffering off;",
        ),
        (
            with(|it| it.deliveries = vec![Late, Late, at_once]),
            "events",
            Fail,
            "buffer",
        ),
        (
            with(|it| it.deliveries = vec![at_once, Never, at_once]),
            "events",
            Fail,
            "",
        ),
        (
            with(|it| it.awkward = Some(Never)),
            "query",
            Fail,
            "rewrite",
        ),
        (with(|it| it.awkward = None), "query", Unknown, ""),
        (
            with(|it| it.resumed = Some(Resumed::ByQueryOnly)),
            "resume",
            Fail,
            "$http_last_event_id",
        ),
        (
            with(|it| it.resumed = Some(Resumed::Nothing)),
            "resume",
            Fail,
            "header_up",
        ),
        (
            with(|it| it.resumed = Some(Resumed::Gap)),
            "resume",
            Fail,
            "",
        ),
        (
            with(|it| it.resumed = Some(Resumed::Otherwise)),
            "resume",
            Fail,
            "",
        ),
        (
            with(|it| it.resumed = Some(Resumed::Refused)),
            "resume",
            Unknown,
            "",
        ),
        (with(|it| it.idle = None), "idle", Unknown, ""),
        (
            with(|it| it.idle = Some(idle(0, None))),
            "idle",
            Warn,
            "buffer",
        ),
        (
            with_head(Head {
                version: Version::HTTP_11,
                ..head(&[])
            }),
            "protocol",
            Warn,
            "alpn h2,http/1.1",
        ),
        (
            with_head(head(&[(CACHE_CONTROL, "no-cache")])),
            "caching",
            Warn,
            "proxy_cache off;",
        ),
        (
            with_head(head(&[(AGE, "3")])),
            "caching",
            Fail,
            "proxy_cache off;",
        ),
        (
            with_head(head(&[(HeaderName::from_static("cf-cache-status"), "HIT")])),
            "caching",
            Fail,
            "proxy_cache off;",
        ),
        (
            with_head(head(&[(CONTENT_TYPE, "text/event-stream; charset=latin1")])),
            "answer",
            Fail,
            "charset off;",
        ),
        (
            with_head(head(&[(CONTENT_TYPE, "text/html")])),
            "answer",
            Fail,
            "charset off;",
        ),
    ];
    for (seen, name, verdict, line) in table {
        check(&seen, name, verdict, line);
    }
}

#[test]
fn srv_03_utf_8_is_no_fault() {
    let seen = with_head(head(&[(CONTENT_TYPE, "text/event-stream; charset=UTF-8")]));
    assert!(judge(&seen).iter().all(|it| it.verdict == Verdict::Ok));
}

#[test]
fn without_tls_http_1_1_is_a_fault_elsewhere_alone() {
    for (here, verdict) in [(true, Verdict::Ok), (false, Verdict::Warn)] {
        let old = Head {
            version: Version::HTTP_11,
            ..head(&[])
        };
        let seen = Observations {
            tls: false,
            here,
            ..with_head(old)
        };
        let findings = judge(&seen);
        let protocol = findings.iter().find(|it| it.name == "protocol").unwrap();
        assert_eq!(protocol.verdict, verdict);
        // No line of the proxy's makes browsers speak HTTP/2 without TLS.
        assert!(protocol.change.is_empty());
    }
}

#[test]
fn n3_a_silence_is_a_time_out_and_an_age_is_none() {
    let ended = |heartbeats, age, silence| {
        let end = End {
            age: age * SECOND,
            silence: silence * SECOND,
        };
        with(|it| it.idle = Some(idle(heartbeats, Some(end))))
    };
    // The longest silence between two bytes was 18 s.
    for (heartbeats, age, silence, line) in [
        (0, 60, 60, "proxy_read_timeout"),
        (1, 78, 60, "proxy_read_timeout"),
        (3, 60, 5, "timeout: 0s"),
        (3, 60, 20, "timeout: 0s"),
        // It may as well be a time-out that is as long as the heartbeat.
        (3, 60, 20, "proxy_read_timeout"),
    ] {
        check(
            &ended(heartbeats, age, silence),
            "idle",
            Verdict::Fail,
            line,
        );
    }
    // What a draining hub, or a proxy without a hub, says to browsers.
    check(&ended(0, 0, 0), "idle", Verdict::Fail, "");
    let findings = judge(&ended(0, 60, 60));
    let change = findings.last().unwrap().change.iter();
    assert!(change.clone().all(|it| it.line != "timeout: 0s"));
}

#[test]
fn srv_19_compression_is_worse_when_it_holds_back() {
    let coded = |moved, always| {
        let coding = "gzip".to_owned();
        with(|it| {
            it.encoded = Some(Encoded {
                coding,
                moved,
                always,
            })
        })
    };
    for (moved, verdict) in [
        (Some(true), Verdict::Warn),
        (None, Verdict::Warn),
        (Some(false), Verdict::Fail),
    ] {
        check(&coded(moved, false), "compression", verdict, "gzip off;");
    }
    // Then nothing can be read: one fault, and the rest is unknown.
    let mut seen = coded(Some(true), true);
    seen.first_byte = None;
    seen.publishing = Publishing::NotTried;
    seen.deliveries = Vec::new();
    (seen.awkward, seen.resumed, seen.idle) = (None, None, None);
    let findings = judge(&seen);
    let count = |verdict| findings.iter().filter(|it| it.verdict == verdict).count();
    assert_eq!((count(Verdict::Fail), count(Verdict::Unknown)), (1, 6));
}

#[test]
fn a_refused_token_may_be_a_lost_one() {
    let refused = |token| {
        let denied = Head {
            status: StatusCode::UNAUTHORIZED,
            ..head(&[])
        };
        Observations {
            token,
            ..with_head(denied)
        }
    };
    check(
        &refused(true),
        "authorization",
        Verdict::Fail,
        "$http_authorization",
    );
    check(&refused(false), "answer", Verdict::Fail, "");
    let publishing = |status| {
        let text = "no".to_owned();
        with(|it| it.publishing = Publishing::Refused { status, text })
    };
    let lost = publishing(StatusCode::UNAUTHORIZED);
    check(&lost, "authorization", Verdict::Fail, "$http_authorization");
    check(
        &publishing(StatusCode::FORBIDDEN),
        "authorization",
        Verdict::Unknown,
        "",
    );
}

#[test]
fn srv_23_a_redirect_is_told_with_its_place() {
    let mut moved = head(&[(LOCATION, "https://elsewhere.example/")]);
    moved.status = StatusCode::TEMPORARY_REDIRECT;
    let findings = judge(&with_head(moved));
    let [only] = findings.as_slice() else {
        panic!("one finding, not {findings:?}");
    };
    assert_eq!(only.verdict, Verdict::Fail);
    assert!(only.seen.contains("https://elsewhere.example/"), "{only:?}");
}

#[test]
fn a_proxy_that_says_its_name_gets_its_own_lines() {
    let mut seen = with_head(head(&[(SERVER, "nginx/1.22.1")]));
    seen.first_byte = None;
    let findings = judge(&seen);
    let changes = findings.iter().flat_map(|it| &it.change);
    let proxies: Vec<_> = changes.map(|it| it.proxy).collect();
    assert!(!proxies.is_empty());
    assert!(proxies.iter().all(|it| *it == Proxy::Nginx), "{proxies:?}");
    // What it never does by itself is somebody else's: then all are named.
    seen.first_byte = Some(Duration::ZERO);
    let end = End {
        age: 60 * SECOND,
        silence: SECOND,
    };
    seen.idle = Some(idle(3, Some(end)));
    let findings = judge(&seen);
    let lines = findings.iter().flat_map(|it| &it.change);
    assert!(
        lines
            .clone()
            .any(|it| it.what == Action::Set && it.proxy == Proxy::Envoy)
    );
}

#[test]
fn browsers_take_one_allowed_origin() {
    let asked = |allowed: &[&'static str]| {
        let mut head = head(&[]);
        for origin in allowed {
            let origin = HeaderValue::from_static(origin);
            head.headers.append(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        let origin = Some("https://app.example".to_owned());
        Observations {
            origin,
            ..with_head(head)
        }
    };
    for allowed in [&["*"][..], &["https://app.example"]] {
        assert!(
            judge(&asked(allowed))
                .iter()
                .all(|it| it.verdict == Verdict::Ok)
        );
    }
    for allowed in [
        &[][..],
        &["https://b.example"],
        &["*", "https://app.example"],
    ] {
        check(&asked(allowed), "cors", Verdict::Fail, "llow");
    }
}
