use super::{Bridge, InvalidBridge};

fn check(text: &str, expected: Result<(&str, &str), InvalidBridge>) {
    let parsed = text.parse::<Bridge>();
    let shown = parsed.as_ref().map(|it| (it.connection(), it.place()));
    assert_eq!(shown.map_err(|error| *error), expected, "{text}");
}

#[test]
fn last_segment_is_the_channel() {
    check(
        "redis://127.0.0.1:7000/sse-channel",
        Ok(("redis://127.0.0.1:7000/0", "sse-channel")),
    );
    check(
        "redis://u:p@host/3/a%2Fb",
        Ok(("redis://u:p@host/3", "a/b")),
    );
    check("rediss://[::1]/x", Ok(("rediss://[::1]/0", "x")));
    check("redis://host", Err(InvalidBridge::Channel));
    check("redis://host/", Err(InvalidBridge::Channel));
    check("redis://host/a/b", Err(InvalidBridge::Channel));
    check("redis://host/1/2/3", Err(InvalidBridge::Channel));
    check("http://host/x", Err(InvalidBridge::Url));
    check("sse-channel", Err(InvalidBridge::Url));
    check("redis://host/x?db=1", Err(InvalidBridge::Url));
}

#[test]
fn s19_password_is_not_shown() {
    let bridge: Bridge = "redis://user:opensesame@host/x".parse().unwrap();
    for shown in [format!("{bridge}"), format!("{bridge:?}"), bridge.server()] {
        assert!(
            !shown.contains("opensesame") && !shown.contains("user"),
            "{shown}"
        );
    }
}
