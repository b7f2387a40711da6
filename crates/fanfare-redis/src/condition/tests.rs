use super::*;
use crate::server::Wait;

fn condition() -> Arc<Condition> {
    let server = Server {
        wait: Wait::Nothing,
        loss_window: None,
        warnings: Vec::new(),
    };
    Condition::new(server, Duration::from_secs(10))
}

#[test]
fn health_is_degraded_at_once_and_failed_after_the_grace() {
    let condition = condition();
    let start = crate::encoding::Now::read().instant;
    let after = |secs| condition.health(start + Duration::from_secs(secs));
    assert_eq!(after(0), Health::Ready);
    condition.lost(Part::Tailing, "gone", start);
    condition.lost(Part::Publishing, "gone", start + Duration::from_secs(5));
    // Again, by a later attempt: it counts from the first.
    condition.lost(Part::Tailing, "still gone", start + Duration::from_secs(8));
    assert!(matches!(after(0), Health::Degraded { .. }));
    assert!(matches!(after(9), Health::Degraded { .. }));
    let failed = after(10);
    let told = matches!(&failed, Health::Failed { why } if why.contains("still gone"));
    assert!(told, "{failed:?}");
    condition.found(Part::Tailing);
    assert!(matches!(after(10), Health::Degraded { .. }));
    condition.found(Part::Publishing);
    assert_eq!(after(100), Health::Ready);
}
