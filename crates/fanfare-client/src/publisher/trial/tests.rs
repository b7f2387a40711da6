use std::time::Duration;

use fanfare_wire::EventId;
use http::StatusCode;

use super::{Fault, Next, Outcome, PublishError, Receipt, Trial};
use crate::publisher::{Config, Key};

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A trial whose window is 60 s.
fn trial() -> Trial {
    let mut config = Config::new("http://hub.example/.well-known/mercure".parse().unwrap());
    config.window = secs(60);
    Trial::new(Key::parse("k").unwrap(), &config)
}

fn again(may_be_stored: bool, retry_after: Option<Duration>) -> Outcome {
    Outcome::Again {
        may_be_stored,
        retry_after,
        fault: Fault::Silent,
    }
}

fn refused() -> Outcome {
    Outcome::Refused(Fault::Status {
        status: StatusCode::UNAUTHORIZED,
        detail: String::new(),
    })
}

fn wait(next: Next) -> Duration {
    match next {
        Next::Again(wait) => wait,
        Next::Done(result) => panic!("{result:?}"),
    }
}

fn error(next: Next) -> PublishError {
    match next {
        Next::Done(Err(error)) => error,
        Next::Done(Ok(_)) | Next::Again(_) => panic!("{next:?}"),
    }
}

#[test]
fn o5_waits_grow_with_full_jitter() {
    let mut trial = trial();
    for longest in [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
        let mut twin = Trial {
            key: trial.key.clone(),
            ..trial
        };
        assert_eq!(wait(twin.judge(again(true, None), secs(0), 0.0)), secs(0));
        let next = trial.judge(again(true, None), secs(0), 1.0);
        assert_eq!(wait(next), Duration::from_millis(longest));
    }
}

#[test]
fn o5_retry_after_is_kept() {
    let next = trial().judge(again(false, Some(secs(20))), secs(0), 0.5);
    assert_eq!(wait(next), secs(21));
}

#[test]
fn o5_what_is_said_when_the_window_closes() {
    let mut closes = trial();
    wait(closes.judge(again(false, None), secs(59), 0.0));
    let next = closes.judge(again(false, None), secs(60), 0.0);
    assert!(matches!(
        error(next),
        PublishError::NotStored(Fault::Silent)
    ));

    let mut in_doubt = trial();
    wait(in_doubt.judge(again(true, None), secs(1), 0.0));
    // The 503 is about the second attempt; nothing is known about the first.
    let next = in_doubt.judge(again(false, Some(secs(59))), secs(2), 0.0);
    assert!(matches!(error(next), PublishError::Unknown { key, .. } if key.as_str() == "k"));
}

#[test]
fn o5_a_refusal_after_a_lost_answer_proves_nothing() {
    let next = trial().judge(refused(), secs(0), 0.0);
    assert!(matches!(error(next), PublishError::Refused(_)));

    let mut in_doubt = trial();
    wait(in_doubt.judge(again(true, None), secs(0), 0.0));
    let next = in_doubt.judge(refused(), secs(1), 0.0);
    assert!(matches!(error(next), PublishError::Unknown { .. }));
}

#[test]
fn o5_a_receipt_ends_every_doubt() {
    let mut trial = trial();
    wait(trial.judge(again(true, None), secs(0), 0.0));
    let receipt = Receipt {
        id: EventId::parse("7").unwrap(),
        replayed: true,
    };
    let next = trial.judge(Outcome::Stored(receipt.clone()), secs(600), 0.0);
    assert!(matches!(next, Next::Done(Ok(it)) if it == receipt));
}

#[test]
fn o5_without_a_window_there_is_one_attempt() {
    let mut trial = trial();
    trial.window = Duration::ZERO;
    let next = trial.judge(again(false, None), secs(0), 0.0);
    assert!(matches!(error(next), PublishError::NotStored(_)));
}
