//! What a status says of a publish.

use super::Attempt;

#[test]
fn o1_outcome_by_status_alone() {
    let outcome = |status| match Attempt::of(status, " id\n") {
        Attempt::Stored(id) => format!("stored {id}"),
        Attempt::Refused { for_now: true } => "refused for now".to_owned(),
        Attempt::Refused { for_now: false } => "refused".to_owned(),
        Attempt::Unknown => "unknown".to_owned(),
    };
    for (statuses, expected) in [
        (&[200, 201, 202][..], "stored id"),
        (&[429, 503], "refused for now"),
        (&[400, 401, 403, 413, 415, 422, 507], "refused"),
        (&[302, 500, 502, 504], "unknown"),
    ] {
        for &status in statuses {
            assert_eq!(outcome(status), expected, "{status}");
        }
    }
}
