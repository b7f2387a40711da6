use std::thread;

use fanfare_broker::{Cursor, Epoch, Topic};
use fanfare_wire::Event;

use super::*;
use crate::row::Now;

fn batch(count: usize, bytes: usize) -> Vec<Publication> {
    let topic = Topic::parse("a").unwrap();
    let publication = Publication::new(topic, Event::new("x".repeat(bytes)));
    vec![publication; count]
}

fn taken(queue: &Queue) -> Vec<usize> {
    let now = Now::read().instant;
    match queue.take(Some(now), now) {
        Taken::Jobs(jobs) => jobs.iter().map(|job| job.batch.len()).collect(),
        Taken::Due | Taken::Closed => Vec::new(),
    }
}

/// Pushes jobs of these sizes, which must all be let in, and forgets who waits for them.
fn push(queue: &Queue, sizes: &[(usize, usize)]) {
    for (count, bytes) in sizes {
        let (job, _) = Job::new(batch(*count, *bytes));
        queue.push(job).unwrap();
    }
}

#[track_caller]
fn refused(queue: &Queue, count: usize, bytes: usize) {
    let (job, _) = Job::new(batch(count, bytes));
    let overloaded = PublishError::Overloaded { retry_after: RETRY };
    assert_eq!(queue.push(job), Err(overloaded));
}

#[test]
fn w4_publications_are_bounded_and_one_more_is_refused_at_once() {
    let queue = Queue::default();
    push(&queue, &[(1000, 0); 10]);
    refused(&queue, 1, 0);
    // What is taken makes room.
    assert_eq!(taken(&queue), [1000; 4]);
    push(&queue, &[(1000, 0); 4]);
    refused(&queue, 1, 0);
}

#[test]
fn w4_bytes_are_bounded() {
    let queue = Queue::default();
    push(&queue, &[(1, 1 << 20); 15]);
    refused(&queue, 1, 1 << 20);
    push(&queue, &[(1, 1000)]);
}

#[test]
fn w4_a_job_larger_than_the_queue_is_taken_when_nothing_waits() {
    let queue = Queue::default();
    push(&queue, &[(1, 20 << 20)]);
    refused(&queue, 1, 0);
    assert_eq!(taken(&queue), [1]);
    push(&queue, &[(1, 0)]);
    refused(&queue, 20_000, 0);
    assert_eq!(taken(&queue), [1]);
    push(&queue, &[(20_000, 0)]);
    assert_eq!(taken(&queue), [20_000]);
    assert!(queue.is_empty());
}

#[test]
fn w5_a_transaction_takes_whole_jobs_up_to_its_bounds() {
    /// Publications and bytes of each, of jobs that wait; publications of those that are taken.
    type Row = (&'static [(usize, usize)], &'static [usize]);
    let table: [Row; 6] = [
        (&[(1, 0), (2, 0), (3, 0)], &[1, 2, 3]),
        (&[(4096, 0), (1, 0)], &[4096]),
        (&[(4095, 0), (1, 0), (1, 0)], &[4095, 1]),
        (&[(4000, 0), (97, 0)], &[4000]),
        (&[(1, 2 << 20), (1, 0)], &[1]),
        (&[(1, 0), (1, 2 << 20), (1, 0)], &[1]),
    ];
    for (sizes, expected) in table {
        let queue = Queue::default();
        push(&queue, sizes);
        assert_eq!(taken(&queue), expected, "of {sizes:?}");
    }
}

#[test]
fn w5_jobs_are_taken_in_their_order() {
    let queue = Queue::default();
    let sizes: Vec<_> = (1..=90).map(|count| (count, 0)).collect();
    push(&queue, &sizes);
    let mut all = Vec::new();
    loop {
        match taken(&queue) {
            jobs if jobs.is_empty() => break,
            jobs => all.extend(jobs),
        }
    }
    assert_eq!(all, (1..=90).collect::<Vec<_>>());
}

#[test]
fn w8_a_reply_that_is_dropped_says_what_is_known() {
    let queue = Queue::default();
    let (first, mut taken) = Job::new(batch(2, 0));
    let (second, mut waiting) = Job::new(batch(1, 0));
    queue.push(first).unwrap();
    let now = Now::read().instant;
    drop(queue.take(Some(now), now));
    assert_eq!(taken.try_recv(), Ok(vec![Err(PublishError::Unknown); 2]));
    queue.push(second).unwrap();
    drop(queue);
    let unavailable = PublishError::Unavailable { retry_after: RETRY };
    assert_eq!(waiting.try_recv(), Ok(vec![Err(unavailable)]));
}

/// A writer that panicked left publishes in the queue for ever.
#[test]
fn w8_an_ended_queue_answers_what_waits_and_takes_no_more() {
    let queue = Queue::default();
    let (job, mut waiting) = Job::new(batch(1, 0));
    queue.push(job).unwrap();
    queue.end();
    let unavailable = PublishError::Unavailable { retry_after: RETRY };
    assert_eq!(waiting.try_recv(), Ok(vec![Err(unavailable.clone())]));
    let (job, _) = Job::new(batch(1, 0));
    assert_eq!(queue.push(job), Err(unavailable));
    assert!(matches!(
        queue.take(None, Now::read().instant),
        Taken::Closed
    ));
}

#[test]
fn l12_a_closed_queue_gives_what_waits_before_it_ends() {
    let queue = Queue::default();
    push(&queue, &[(3, 0)]);
    queue.close();
    let (job, _) = Job::new(batch(1, 0));
    assert!(queue.push(job).is_err());
    assert_eq!(taken(&queue), [3]);
    assert!(matches!(
        queue.take(None, Now::read().instant),
        Taken::Closed
    ));
}

#[test]
fn a_reply_that_was_sent_is_not_sent_again() {
    let (job, mut waiting) = Job::new(batch(1, 0));
    let cursor = Cursor {
        epoch: Epoch::random(),
        offset: 1,
    };
    let receipt = Receipt {
        cursor,
        id: cursor.id(),
        duplicate: false,
    };
    job.reply.send(vec![Ok(receipt.clone())]);
    assert_eq!(waiting.try_recv(), Ok(vec![Ok(receipt)]));
}

#[test]
fn a_push_wakes_whoever_waits_without_a_time() {
    let queue = Queue::default();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| match queue.take(None, Now::read().instant) {
            Taken::Jobs(jobs) => jobs.len(),
            Taken::Due | Taken::Closed => 0,
        });
        push(&queue, &[(1, 0)]);
        assert_eq!(waiting.join().unwrap(), 1);
    });
}

#[test]
fn time_passes_when_no_job_comes() {
    let queue = Queue::default();
    let now = Now::read().instant;
    assert!(matches!(queue.take(Some(now), now), Taken::Due));
    let due = now + Duration::from_millis(1);
    assert!(matches!(queue.take(Some(due), now), Taken::Due));
}
