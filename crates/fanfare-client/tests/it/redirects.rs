//! RC-18 and RC-19 over real connections.

use fanfare_client::Item;
use fanfare_client::error::{Cause, InvalidRedirect};
use fanfare_client::item::End;
use http::{HeaderName, HeaderValue, Method};
use tokio::join;

use crate::peer::{Peer, during, ended, event, opened, source_of};

fn redirect(status: u16, location: &str) -> String {
    format!(
        "HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn cc_60_cc_61_every_redirect_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (peer, target) = (Peer::listen().await, Peer::listen().await);
        let mut source = peer.source();
        let serve = async {
            peer.answer(redirect(status, &target.url())).await;
            target.stream("data: a\n\n").await;
        };
        let read = async {
            match crate::peer::next(&mut source).await {
                Item::Open(opened) => assert_eq!(opened.url.as_str(), target.url()),
                other => panic!("{other:?}"),
            }
            assert_eq!(event(&mut source).await.data, "a");
        };
        join!(serve, read);
    }
}

#[tokio::test]
async fn cc_62_to_cc_65_redirects_that_lead_nowhere_fail() {
    for status in [301, 307] {
        let without = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        for answer in [redirect(status, ""), without] {
            let peer = Peer::listen().await;
            let mut source = peer.source();
            let (end, _) = join!(ended(&mut source), peer.answer(answer));
            match end {
                End::Failed(Cause::Redirect { source, .. }) => {
                    assert_eq!(source, InvalidRedirect::NoLocation);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn cx_11_rc_18_secrets_do_not_cross_origins() {
    let (peer, other) = (Peer::listen().await, Peer::listen().await);
    let mut config = peer.config();
    for name in ["authorization", "cookie", "x-api-key", "x-open"] {
        config.headers.insert(name, HeaderValue::from_static("v"));
    }
    config
        .secret_headers
        .push(HeaderName::from_static("x-api-key"));
    config.last_event_id = fanfare_client::EventId::parse("7").unwrap();
    let mut source = source_of(config);
    let secrets = ["authorization", "cookie", "x-api-key"];
    let serve = async {
        let first = peer.answer(redirect(307, "/again")).await;
        let second = peer.answer(redirect(307, &other.url())).await;
        for kept in [first, second] {
            assert!(secrets.iter().all(|name| kept.field(name) == Some("v")));
        }
        let third = other.answer(redirect(307, &peer.url())).await;
        // Back where it began; and yet it was another who sent us there.
        let fourth = peer.stream("data: a\n\n").await;
        for stripped in [third, fourth] {
            let fields = secrets.iter().filter_map(|name| stripped.field(name));
            assert_eq!(fields.count(), 0, "{}", stripped.head);
            assert_eq!(stripped.field("x-open"), Some("v"));
            assert_eq!(stripped.last_event_id(), Some("7"));
        }
        let reconnect = peer.stream("data: b\n\n").await;
        assert_eq!(reconnect.field("authorization"), Some("v"));
    };
    let read = async {
        assert_eq!(event(&mut source).await.data, "a");
        assert_eq!(event(&mut source).await.data, "b");
    };
    join!(serve, read);
}

#[tokio::test]
async fn cx_12_rc_19_a_reconnect_remembers_moves_for_good_only() {
    for (status, remembered) in [(301, true), (308, true), (302, false), (307, false)] {
        let (peer, target) = (Peer::listen().await, Peer::listen().await);
        let mut source = peer.source();
        let serve = async {
            peer.answer(redirect(status, &target.url())).await;
            target.stream("data: a\n\n").await;
            let second = if remembered { &target } else { &peer };
            second.stream("data: b\n\n").await;
        };
        let read = async {
            assert_eq!(event(&mut source).await.data, "a");
            assert_eq!(event(&mut source).await.data, "b");
        };
        join!(serve, read);
    }
}

#[tokio::test]
async fn rc_19_one_passing_redirect_in_a_chain_forgets_it() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let serve = async {
        peer.answer(redirect(308, "/a")).await;
        peer.answer(redirect(307, "/b")).await;
        assert_eq!(peer.stream("data: a\n\n").await.line(), "GET /b");
        assert_eq!(peer.stream("data: b\n\n").await.line(), "GET /stream");
    };
    let read = async {
        event(&mut source).await;
        event(&mut source).await;
    };
    join!(serve, read);
}

/// A server moved for good to another origin. Its reconnects must not take along what the first
/// request to the new place was not allowed to.
#[tokio::test]
async fn rc_18_rc_19_a_remembered_move_stays_without_secrets() {
    let (peer, target) = (Peer::listen().await, Peer::listen().await);
    let mut config = peer.config();
    config
        .headers
        .insert("authorization", HeaderValue::from_static("v"));
    let mut source = source_of(config);
    let serve = async {
        peer.answer(redirect(308, &target.url())).await;
        target.stream("data: a\n\n").await;
        let reconnect = target.stream("data: b\n\n").await;
        assert_eq!(reconnect.field("authorization"), None);
    };
    let read = async {
        event(&mut source).await;
        event(&mut source).await;
    };
    join!(serve, read);
}

#[tokio::test]
async fn cx_13_redirects_are_bounded() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let serve = async {
        for _ in 0..=20 {
            peer.answer(redirect(302, "/stream")).await;
        }
    };
    let (end, ()) = join!(ended(&mut source), serve);
    match end {
        End::Failed(Cause::Redirect { source, .. }) => {
            assert_eq!(source, InvalidRedirect::TooMany { redirects_max: 20 });
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn cx_13_twenty_redirects_are_allowed() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let (item, ()) = during(&mut source, async {
        for _ in 0..20 {
            peer.answer(redirect(302, "/stream")).await;
        }
        peer.stream("").await;
    })
    .await;
    assert!(matches!(item, Item::Open(_)), "{item:?}");
}

#[tokio::test]
async fn cx_13_user_info_in_a_location_is_refused() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let location = peer.url().replace("http://", "http://user:pass@");
    let (end, _) = join!(ended(&mut source), peer.answer(redirect(302, &location)));
    assert!(matches!(
        end,
        End::Failed(Cause::Redirect {
            source: InvalidRedirect::UserInfo,
            ..
        })
    ));
}

#[tokio::test]
async fn rc_18_a_posts_body_over_redirects() {
    let (peer, other) = (Peer::listen().await, Peer::listen().await);
    for allowed in [false, true] {
        let mut config = peer.config();
        config.method = Method::POST;
        config.body = Some("{}".into());
        config.body_across_origins = allowed;
        let mut source = source_of(config);
        let serve = async {
            peer.answer(redirect(307, "/same")).await;
            let same = peer.answer(redirect(307, &other.url())).await;
            assert_eq!((same.line(), same.body.as_str()), ("POST /same", "{}"));
            let crossed = other.answer(redirect(303, "/got")).await;
            let body = if allowed { "{}" } else { "" };
            assert_eq!(
                (crossed.line(), crossed.body.as_str()),
                ("POST /stream", body)
            );
            let got = other.stream("data: a\n\n").await;
            assert_eq!((got.line(), got.body.as_str()), ("GET /got", ""));
        };
        join!(serve, opened(&mut source));
    }
}
