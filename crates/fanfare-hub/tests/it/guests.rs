//! Guests: who has left is told once, however it came; who is dismissed is gone.

use bytes::Bytes;
use fanfare_hub::{Config, GuestBook, Subscription};

use crate::hub::{Reader, hub, hub_with, publication, publish, selectors, within};

fn guest_of(book: &GuestBook, id: u64, topic: &str) -> Subscription {
    let mut subscription = Subscription::new(selectors(&[topic]));
    subscription.guest = Some(book.guest(id));
    subscription
}

#[tokio::test]
async fn reader_that_leaves_signs_out() {
    let (hub, book) = (hub().await, GuestBook::default());
    let reader = Reader::new(&hub, guest_of(&book, 7, "a")).await;
    drop(reader);
    assert_eq!(within(book.left()).await, [7]);
}

#[tokio::test]
async fn admission_and_subscription_that_come_to_nothing_sign_out() {
    let (hub, book) = (hub().await, GuestBook::default());
    let admission = hub.subscribe(guest_of(&book, 1, "a")).await.unwrap();
    drop(admission);
    assert_eq!(within(book.left()).await, [1]);
    drop(guest_of(&book, 2, "a"));
    assert_eq!(within(book.left()).await, [2]);

    let mut config = Config::default();
    config.subscribers_max = 0;
    let full = hub_with(config, fanfare_broker::memory::Config::default()).await;
    assert!(full.subscribe(guest_of(&book, 3, "a")).await.is_err());
    assert_eq!(within(book.left()).await, [3]);
}

#[tokio::test]
async fn dismissed_guest_ends_cleanly_and_others_go_on() {
    let (hub, book) = (hub().await, GuestBook::default());
    let mut dismissed = Reader::new(&hub, guest_of(&book, 1, "a")).await;
    let mut stays = Reader::new(&hub, guest_of(&book, 2, "a")).await;
    hub.dismiss([1]);
    assert_eq!(dismissed.block().await, None);
    assert_eq!(within(book.left()).await, [1]);

    publish(&hub, "a", "still here").await;
    assert_eq!(stays.data().await, "still here");
    let ended = hub.counts().ended_total;
    assert!(ended.contains(&("dismissed", 1)), "{ended:?}");
}

#[tokio::test]
async fn dismissal_right_after_the_attach_is_not_lost() {
    let (hub, book) = (hub().await, GuestBook::default());
    let admission = hub.subscribe(guest_of(&book, 9, "a")).await.unwrap();
    let mut reader = Reader::of(admission.into_stream(Bytes::from_static(b":\n")));
    hub.dismiss([9]);
    assert_eq!(reader.block().await, None);
}

#[tokio::test]
async fn subscriber_after_caught_up_begins_after_the_record() {
    let hub = hub().await;
    let outcome = hub
        .publish(vec![publication("a", "before")])
        .await
        .remove(0);
    within(hub.caught_up(outcome.unwrap().cursor.offset)).await;
    let mut reader = Reader::new(&hub, Subscription::new(selectors(&["a"]))).await;
    assert_eq!(
        hub.newest().unwrap().publication().event.data,
        "before".into()
    );
    publish(&hub, "a", "after").await;
    assert_eq!(reader.data().await, "after");
}
