//! Tests of resuming that hubs in use have failed (reliability §1).

use super::check::Check;
use super::error::CheckError;
use super::hub::Hub;
use super::judge::judge;
use super::plan::Plan;
use super::process::HubProgram;
use super::verdict::Verdicts;

/// Restart, then resume before the first publish.
///
/// A hub that learns where its history ends only from the next publish replays nothing until then,
/// and calls every subscriber up to date.
///
/// # Errors
///
/// The hub does not start, or lets nobody in.
pub fn restart_then_resume(
    program: &HubProgram,
    hub: &Hub,
    plan: &Plan,
) -> Result<Verdicts, CheckError> {
    let process = program.start()?;
    let check = Check::begin(hub, plan, None, None)?;
    check.publish(500)?;
    hold_all(&check);
    check.publish(200)?;
    let before = check.connections();
    process.kill()?;
    check.note_killed();
    check.note_restarted();
    let process = program.start()?;
    check.release();
    // Nothing is published before everybody is back. Who is not, the judge will find late.
    _ = check.wait_for_return(&before);
    let run = check.finish()?;
    process.kill()?;
    Ok(judge(&run.lines))
}

/// Resume near the head, and at the tail, of a history of `events` events.
///
/// A hub that looks for an id among the newest few thousand events, or the oldest, gives up on the
/// others.
///
/// # Errors
///
/// The hub lets nobody in, or takes too long to store the events.
pub fn resume_in_long_history(hub: &Hub, plan: &Plan, events: u64) -> Result<Verdicts, CheckError> {
    let check = Check::begin(hub, plan, None, None)?;
    (0..check.subscribers())
        .step_by(2)
        .for_each(|subscriber| check.hold(subscriber));
    check.publish(events)?;
    let before = check.connections();
    hold_all(&check);
    check.publish(20)?;
    check.release();
    _ = check.wait_for_return(&before);
    Ok(judge(&check.finish()?.lines))
}

fn hold_all(check: &Check) {
    (0..check.subscribers()).for_each(|subscriber| check.hold(subscriber));
}
