use super::Asked;
use crate::dialect::Dialects;
use crate::error::Refusal;

fn topic(topic: &str, subscriber: Option<&str>) -> Result<Asked, Refusal> {
    Ok(Asked::Topic {
        topic: topic.to_owned(),
        subscriber: subscriber.map(str::to_owned),
    })
}

fn matched(
    match_type: &'static str,
    matched: &str,
    subscriber: Option<&str>,
) -> Result<Asked, Refusal> {
    Ok(Asked::Match {
        match_type,
        matched: matched.to_owned(),
        subscriber: subscriber.map(str::to_owned),
    })
}

#[test]
fn dx_8_first_segment_and_their_number_tell_the_shape() {
    let match_type = |name: &str| {
        Err(Refusal::MatchType {
            name: name.to_owned(),
        })
    };
    let none = || Err(Refusal::NoSubscription);
    for (path, both, zero, one) in [
        ("", Ok(Asked::All), Ok(Asked::All), Ok(Asked::All)),
        ("/a", topic("a", None), topic("a", None), none()),
        ("/exact", topic("exact", None), topic("exact", None), none()),
        (
            "/a/b",
            topic("a", Some("b")),
            topic("a", Some("b")),
            match_type("a"),
        ),
        (
            "/exact/b",
            matched("exact", "b", None),
            topic("exact", Some("b")),
            matched("exact", "b", None),
        ),
        (
            "/urlpattern/b/c",
            matched("urlpattern", "b", Some("c")),
            none(),
            matched("urlpattern", "b", Some("c")),
        ),
        (
            "/Exact/b/c",
            match_type("Exact"),
            none(),
            match_type("Exact"),
        ),
        ("/exact/b/c/d", none(), none(), none()),
    ] {
        assert_eq!(Asked::parse(Dialects::Both, path), both, "{path}");
        assert_eq!(Asked::parse(Dialects::D0, path), zero, "{path}");
        assert_eq!(Asked::parse(Dialects::D1, path), one, "{path}");
    }
}

#[test]
fn d0_u5_segments_are_split_before_they_are_decoded() {
    let both = |path| Asked::parse(Dialects::Both, path);
    assert_eq!(both("/a%2Fb/c%2Fd"), topic("a/b", Some("c/d")));
    assert_eq!(both("/exact/a%2Fb"), matched("exact", "a/b", None));
    assert_eq!(both("/a%2Bb+c"), topic("a+b c", None));
    assert_eq!(both("/exact/a+b"), matched("exact", "a+b", None));
}

#[test]
fn d1_r8_bad_escapes_are_refused() {
    for bad in ["/exact/%", "/exact/%z1", "/exact/%ff", "/%", "/a/%8"] {
        assert_eq!(
            Asked::parse(Dialects::Both, bad),
            Err(Refusal::BadEscape),
            "{bad}"
        );
    }
}
