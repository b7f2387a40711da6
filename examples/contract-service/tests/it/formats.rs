//! CC-01 to CC-57: what is read of a stream.

use crate::harness::{Harness, comment, event, event_of};

#[tokio::test]
async fn cc_01_to_cc_08_data() {
    let mut harness = Harness::start().await;
    harness.check(["data: Hello\n\n"], &[event("Hello")]).await;
    let two = ["data: test", "test\n\ndata:", "test\n\n"];
    harness
        .check(two, &[event("testtest"), event("test")])
        .await;
    harness
        .check(["data: Hel", "lo\n\n"], &[event("Hello")])
        .await;
    let both = [event("Hello"), event("World")];
    harness
        .check(["data: Hello\n\ndata: World\n\n"], &both)
        .await;
    let lines = ["data: Hello\ndata:World\n\n"];
    harness.check(lines, &[event("Hello\nWorld")]).await;
    harness.check(["data:\n\n"], &[event("")]).await;
}

#[tokio::test]
async fn cc_03_cc_04_long_lines() {
    let mut harness = Harness::start().await;
    let part = "x".repeat(6_990_508);
    let one = format!("data: {part}\n\n");
    harness.check([one], &[event(&part)]).await;
    let pieces = [format!("data: {part}"), format!("{part}\n\n")];
    harness.check(pieces, &[event(&part.repeat(2))]).await;
}

#[tokio::test]
async fn cc_09_to_cc_16_types_and_ids() {
    let mut harness = Harness::start().await;
    let greeting = [event_of("greeting", "Hello", "")];
    harness
        .check(["event: greeting\ndata: Hello\n\n"], &greeting)
        .await;
    harness
        .check(["data: Hello\n\n"], &[event_of("message", "Hello", "")])
        .await;
    let id = ["id: abc\ndata: Hello\n\n"];
    harness
        .check(id, &[event_of("message", "Hello", "abc")])
        .await;
    let all = [event_of("greeting", "Hello", "abc")];
    harness
        .check(["event: greeting\nid: abc\ndata: Hello\n\n"], &all)
        .await;
    harness
        .check(["id: a\0bc\ndata: Hello\n\n"], &[event("Hello")])
        .await;
    let kept = [
        event_of("message", "Hello", "abc"),
        event_of("message", "World", "abc"),
    ];
    harness
        .check(["id: abc\ndata: Hello\n\ndata: World\n\n"], &kept)
        .await;
    let cleared = [event_of("message", "Hello", "abc"), event("World")];
    harness
        .check(["id: abc\ndata: Hello\n\nid: \ndata: World\n\n"], &cleared)
        .await;
    harness
        .check(["data: Hello\nid: abc\nevent: greeting\n\n"], &all)
        .await;
}

#[tokio::test]
async fn cc_17_to_cc_23_fields_and_characters() {
    let mut harness = Harness::start().await;
    let unknown = ["data: Hello\nodd: field\n\n"];
    harness.check(unknown, &[event("Hello")]).await;
    let greeting = [event_of("greeting", "Hello", "")];
    harness
        .check(["event:greeting\ndata:Hello\n\n"], &greeting)
        .await;
    let spaces = [event_of(" greeting", " Hello", "")];
    harness
        .check(["event:  greeting\ndata:  Hello\n\n"], &spaces)
        .await;
    let bare = ["data\n\ndata\ndata\n\n"];
    harness.check(bare, &[event(""), event("\n")]).await;
    let text = "data: €豆腐\n\n";
    harness.check([text], &[event("€豆腐")]).await;
    harness
        .check(text.as_bytes().chunks(1), &[event("€豆腐")])
        .await;
    let hundred: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    let flush: String = hundred.iter().map(|n| format!("data: {n}\n\n")).collect();
    let events: Vec<_> = hundred.iter().map(|n| event(n)).collect();
    harness.check([flush], &events).await;
}

#[tokio::test]
async fn cc_24_to_cc_34_byte_order_marks() {
    let mut harness = Harness::start().await;
    let hello = [event("Hello")];
    let mark = "\u{feff}";
    let one = format!("{mark}data: Hello\n\n");
    harness.check([&one], &hello).await;
    let all = format!("{mark}event: greeting\nid: abc\ndata: Hello\n\n");
    harness
        .check([all], &[event_of("greeting", "Hello", "abc")])
        .await;
    let two = format!("{mark}data: Hello\n\ndata: World\n\n");
    harness
        .check([two], &[event("Hello"), event("World")])
        .await;
    let later = format!("data: Hel{mark}lo\n\n");
    let kept = [event("Hel\u{feff}lo")];
    harness.check([&later], &kept).await;
    let bytes = one.as_bytes();
    harness.check([&bytes[..2], &bytes[2..]], &hello).await;
    harness
        .check([&bytes[..1], &bytes[1..2], &bytes[2..]], &hello)
        .await;
    harness.check([format!("{mark}{later}")], &kept).await;
    harness.check(["data: Hello\n\n"], &hello).await;
    let lines = format!("{mark}data: Hello\ndata: World\n\n");
    harness.check([lines], &[event("Hello\nWorld")]).await;
    let commented = format!("{mark}:comment\ndata: Hello\n\n");
    harness
        .check([commented], &[comment("comment"), event("Hello")])
        .await;
    harness
        .check([format!("{mark}data:\n\n")], &[event("")])
        .await;
}

#[tokio::test]
async fn cc_35_to_cc_38_comments() {
    let mut harness = Harness::start().await;
    harness.check([":Hello\n"], &[comment("Hello")]).await;
    harness
        .check(
            [":Hello\n", ":World\n"],
            &[comment("Hello"), comment("World")],
        )
        .await;
    let comment_first = [comment("Hello"), event("World")];
    harness
        .check([":Hello\ndata: World\n\n"], &comment_first)
        .await;
    let event_first = [event("Hello"), comment("World")];
    harness
        .check(["data: Hello\n\n:World\n"], &event_first)
        .await;
}

/// Six streams, with each end of a line, whole and in small flushes. An event must come without
/// one more byte, which a CR alone does not announce.
#[tokio::test]
async fn cc_39_to_cc_56_ends_of_lines() {
    let mut harness = Harness::start().await;
    let streams: [(&str, &[_]); 6] = [
        ("data: Hello\n\n", &[event("Hello")]),
        (
            "data: Hello\n\ndata: World\ndata: again\n\n",
            &[event("Hello"), event("World\nagain")],
        ),
        ("data:\ndata: b\ndata: c\n\n", &[event("\nb\nc")]),
        ("data: a\ndata:\ndata: c\n\n", &[event("a\n\nc")]),
        (
            "data: Hello\n\n\ndata: World\n\n",
            &[event("Hello"), event("World")],
        ),
        (
            "data: Hello\n\n\n\ndata: World\n\n",
            &[event("Hello"), event("World")],
        ),
    ];
    for end in ["\n", "\r\n", "\r"] {
        for (stream, events) in &streams {
            let stream = stream.replace('\n', end);
            harness.check([&stream], events).await;
            harness.check(stream.as_bytes().chunks(1), events).await;
            harness.check(stream.as_bytes().chunks(2), events).await;
        }
    }
}

#[tokio::test]
async fn cc_57_ends_that_are_split() {
    let mut harness = Harness::start().await;
    let flushes = [
        "data: Hello\r",
        "\ndata: World\r",
        "\n\r\ndata: OK\r",
        "\n",
        "\r",
        "\n",
    ];
    harness
        .check(flushes, &[event("Hello\nWorld"), event("OK")])
        .await;
}
