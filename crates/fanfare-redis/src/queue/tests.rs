use fanfare_broker::Topic;
use fanfare_wire::Event;

use super::*;

fn batch(count: usize, data: &str) -> Vec<Publication> {
    let topic = Topic::parse("t").unwrap();
    vec![Publication::new(topic, Event::new(data)); count]
}

#[test]
fn w_04_queue_is_bounded() {
    let queue = Queue::default();
    let mut waiting = Vec::new();
    for _ in 0..10 {
        let (job, outcomes) = Job::new(batch(1000, ""));
        queue.push(job).unwrap();
        waiting.push(outcomes);
    }
    let (job, _outcomes) = Job::new(batch(1, ""));
    let refused = queue.push(job);
    assert_eq!(
        refused,
        Err(PublishError::Overloaded { retry_after: RETRY })
    );
    let large = Queue::default();
    let (job, _outcomes) = Job::new(batch(1, &"x".repeat(20 << 20)));
    large.push(job).unwrap();
    let (job, _outcomes) = Job::new(batch(1, ""));
    assert!(large.push(job).is_err());
}

#[tokio::test]
async fn w_05_whole_jobs_are_taken_together() {
    let queue = Queue::default();
    for count in [1, 1000, 23, 1, 5] {
        queue.push(Job::new(batch(count, "")).0).unwrap();
    }
    let taken = queue.take().await.unwrap();
    let counts: Vec<_> = taken.iter().map(|job| job.batch.len()).collect();
    assert_eq!(counts, [1, 1000, 23], "1,024 at most");
    assert_eq!(queue.take().await.unwrap().len(), 2);
    queue.close();
    assert!(queue.take().await.is_none());
}

/// W8: whoever waits is answered, whatever happens to the job.
#[tokio::test]
async fn w_08_dropped_jobs_answer() {
    let queue = Queue::default();
    let (job, unsent) = Job::new(batch(2, ""));
    queue.push(job).unwrap();
    queue.away();
    assert_eq!(unsent.await.unwrap(), [Err(UNAVAILABLE), Err(UNAVAILABLE)]);
    assert_eq!(queue.push(Job::new(batch(1, "")).0), Err(UNAVAILABLE));
    queue.back();

    let (mut job, sent) = Job::new(batch(1, ""));
    job.reply.leaves();
    drop(job);
    assert_eq!(sent.await.unwrap(), [Err(PublishError::Unknown)]);
    let (job, late) = Job::new(batch(1, ""));
    queue.push(job).unwrap();
    queue.end();
    assert_eq!(late.await.unwrap(), [Err(UNAVAILABLE)]);
    assert_eq!(queue.push(Job::new(batch(1, "")).0), Err(UNAVAILABLE));
}
