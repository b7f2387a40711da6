//! A real `EventSource`: it shows what is published, is cut off, and comes back by itself.

use serde_json::json;

use crate::chromium::Browser;
use crate::dev_hub::DevHub;
use crate::proxy::Proxy;

/// The data of the newest event on the page.
const NEWEST: &str = "document.querySelector('#events .data')?.textContent ?? null";
const STATE: &str = "document.querySelector('#state').dataset.state";

#[tokio::test]
async fn page_shows_events_and_returns_after_a_restart() {
    let hub = DevHub::start();
    let browser = Browser::start("restart").await;
    browser.open(&format!("{}/", hub.url)).await;
    browser.wait_for(STATE, "open").await;
    let id = hub.publish("news", "from the command line");
    browser.wait_for(NEWEST, "from the command line").await;
    let last_id = "document.querySelector('#last-id').textContent";
    browser.wait_for(last_id, id).await;
    browser.picture("page").await;

    // The memory broker forgets everything: the page is told of a gap, and goes on.
    let address = hub.crash();
    browser.wait_for(STATE, "connecting").await;
    let hub = DevHub::start_with(&["--listen", &address]);
    browser.wait_for(STATE, "open").await;
    hub.publish("news", "after the restart");
    browser.wait_for(NEWEST, "after the restart").await;
    let types = "[...document.querySelectorAll('#events .type')].map(it => it.textContent)";
    browser
        .wait_for(types, json!(["message", "fanfare-gap", "message"]))
        .await;
    browser.picture("page-after-restart").await;
}

#[tokio::test]
async fn page_publishes_with_its_form() {
    let hub = DevHub::start();
    let browser = Browser::start("form").await;
    browser.open(&format!("{}/", hub.url)).await;
    browser.wait_for(STATE, "open").await;
    browser
        .run(
            "document.querySelector('#type').value = 'greeting';
             document.querySelector('#as-json').checked = false;
             document.querySelector('#data').value = 'two\\nlines';
             document.querySelector('#publish .main').click();",
        )
        .await;
    browser.wait_for(NEWEST, "two\nlines").await;
    let kind = "document.querySelector('#events .type').textContent";
    browser.wait_for(kind, "greeting").await;
    let said = "document.querySelector('#outcome').textContent.startsWith('Sent to 1 subscriber,')";
    browser.wait_for(said, true).await;
}

/// Its path to the hub breaks again and again, with events published meanwhile.
#[tokio::test]
async fn event_source_that_is_cut_off_gets_each_event_exactly_once() {
    let hub = DevHub::start();
    let mut proxy = Proxy::open(hub.address()).await;
    let browser = Browser::start("cut").await;
    browser.open(&format!("http://{}/", proxy.address)).await;
    browser
        .run(
            "window.seen = [];
             window.source = new EventSource('/events?topic=numbers');
             source.onmessage = event => seen.push(event.data);",
        )
        .await;
    let mut expected = Vec::new();
    let mut publish = |count| {
        for _ in 0..count {
            expected.push(expected.len().to_string());
            hub.publish("numbers", expected.last().unwrap());
        }
        json!(expected)
    };
    browser.wait_for("source.readyState", 1).await;
    let before = publish(3);
    browser.wait_for("seen", before).await;
    for _ in 0..2 {
        proxy.cut().await;
        browser.wait_for("source.readyState", 0).await;
        let missed = publish(3);
        proxy.mend().await;
        browser.wait_for("seen", missed).await;
    }
    // Whatever had come twice would stand before this one.
    let last = publish(1);
    browser.wait_for("seen", last).await;
}
