//! Where a stream goes on, and how its start is told.

use crate::fixture::{HUB, get, serve};

#[tokio::test]
async fn d0_h6_known_id_is_echoed_and_what_came_after_it_is_sent() {
    let server = serve(|_| {}).await;
    for id in ["a \"b\" [c]:/é", "2", "3"] {
        let form = format!("topic=t&data={id}&id={id}").replace(' ', "+");
        assert_eq!(server.publish(&form).await.body, id);
    }
    let fields = "Last-Event-ID: a \"b\" [c]:/é\r\n";
    let (head, mut peer) = server
        .stream(&format!("{HUB}?topic=t&lastEventID=3"), fields)
        .await;
    assert_eq!(
        head.field("last-event-id"),
        Some("a \"b\" [c]:/é"),
        "srv_13: the header wins"
    );
    let resumed = peer.read_until("data: 3\n\n").await;
    assert!(resumed.contains("id: 2\ndata: 2\n\n"), "{resumed}");
    assert!(!resumed.contains("[c]"), "{resumed}");
}

#[tokio::test]
async fn d0_h2_query_names() {
    let server = serve(|_| {}).await;
    server.publish("topic=t&data=1&id=one").await;
    for name in ["lastEventID", "Last-Event-ID", "lastEventId"] {
        let (head, _) = server
            .stream(&format!("{HUB}?topic=t&{name}=one"), "")
            .await;
        assert_eq!(head.field("last-event-id"), Some("one"), "{name}");
    }
}

#[tokio::test]
async fn d0_h4_earliest_is_all_that_is_stored() {
    let server = serve(|_| {}).await;
    let (head, _) = server
        .stream(&format!("{HUB}?topic=t&lastEventID=earliest"), "")
        .await;
    assert_eq!(
        head.field("last-event-id"),
        Some("earliest"),
        "of an empty history"
    );
    server.publish("topic=t&data=1&id=1").await;
    server.publish("topic=t&data=2&id=2").await;
    let (head, mut peer) = server
        .stream(&format!("{HUB}?topic=t&lastEventID=earliest"), "")
        .await;
    assert_eq!(head.field("last-event-id"), Some("earliest"));
    let all = peer.read_until("data: 2\n\n").await;
    assert!(all.contains("id: 1\ndata: 1\n\n"), "{all}");
}

#[tokio::test]
async fn d0_g3_unknown_id_is_answered_with_earliest_and_nothing_old() {
    let server = serve(|_| {}).await;
    server.publish("topic=t&data=old&id=1").await;
    for id in ["never", "urn:ff:zzz-9", "%FF"] {
        let (head, mut peer) = server
            .stream(&format!("{HUB}?topic=t&lastEventID={id}"), "")
            .await;
        assert_eq!(head.field("last-event-id"), Some("earliest"), "{id}");
        assert_eq!(peer.read_chunk().await, ":\n");
        server.publish("topic=t&data=new&id=2").await;
        assert_eq!(peer.read_chunk().await, "id: 2\ndata: new\n\n", "{id}");
    }
}

#[tokio::test]
async fn c7_gap_is_an_event_on_events_and_on_request_on_the_hubs_url() {
    let server = serve(|_| {}).await;
    server.publish("topic=broadcast&data=old&id=1").await;
    for target in [
        "/events?lastEventId=never".to_owned(),
        format!("{HUB}?topic=broadcast&gap=1&lastEventID=never"),
    ] {
        let (head, mut peer) = server.stream(&target, "").await;
        assert_eq!(head.field("last-event-id"), Some("earliest"));
        let gap = peer.read_until("}\n\n").await;
        assert!(gap.contains("event: fanfare-gap\nid: urn:ff:"), "{gap}");
        assert!(gap.contains("\"from\":\"never\""), "{gap}");
        assert!(gap.contains("\"reason\":\"unknown\""), "{gap}");
    }
}

#[tokio::test]
async fn srv_13_two_cursor_headers_are_400() {
    let server = serve(|_| {}).await;
    let fields = "Last-Event-ID: 1\r\nLast-Event-ID: 1\r\n";
    for path in [HUB, "/events"] {
        let answer = server.ask(get(&format!("{path}?topic=t"), fields)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("Last-Event-ID"));
    }
}

#[tokio::test]
async fn s2_ids_cannot_forge_header_fields() {
    let server = serve(|_| {}).await;
    let answer = server
        .publish("topic=t&data=x&id=a%0D%0ASet-Cookie:+b")
        .await;
    assert_eq!(answer.status, 400);
    let target = format!("{HUB}?topic=t&lastEventID=a%0D%0ASet-Cookie:+b");
    let (head, _) = server.stream(&target, "").await;
    assert!(!head.head.contains("Set-Cookie"), "{}", head.head);
}

#[tokio::test]
async fn d0_p9_generated_id_is_an_iri_and_resumes() {
    let server = serve(|_| {}).await;
    let first = server.publish("topic=t&data=1").await.body;
    let second = server.publish("topic=t&data=2").await.body;
    assert!(
        first.starts_with("urn:ff:") && first != second,
        "{first} {second}"
    );
    let target = format!("{HUB}?topic=t&lastEventID={first}");
    let (head, mut peer) = server.stream(&target, "").await;
    assert_eq!(head.field("last-event-id"), Some(first.as_str()));
    let resumed = peer.read_until("data: 2\n\n").await;
    assert!(resumed.contains(&format!("id: {second}\n")), "{resumed}");
    assert!(!resumed.contains("data: 1"), "{resumed}");
}
