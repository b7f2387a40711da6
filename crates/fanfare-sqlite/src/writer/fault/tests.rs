use super::*;

fn error(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

const UNAVAILABLE: PublishError = PublishError::Unavailable { retry_after: RETRY };

/// What goes on after a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    Ready,
    Full,
    ReadOnly,
    Failed,
}

/// Each row is one of §5.7: where, SQLite's code, the answer, and how it goes on.
#[test]
fn f1_to_f6_each_fault_has_its_answer_and_its_road() {
    use PublishError::{Full, Unknown};
    let (busy, io, corrupt, full, fsync, shm_size, not_a_database, constraint) =
        (5, 10, 11, 13, 1034, 4874, 26, 19);
    let table = [
        // F1, F5
        (At::Begin, full, Full, Then::Full),
        (At::Body, full, Full, Then::Full),
        (At::Commit, full, Full, Then::Full),
        (At::Begin, shm_size, Full, Then::Full),
        (At::Body, shm_size, Full, Then::Full),
        // F2, with the extended code of a snapshot that is too old
        (At::Begin, busy, UNAVAILABLE, Then::Ready),
        (At::Begin, 517, UNAVAILABLE, Then::Ready),
        (At::Begin, 6, UNAVAILABLE, Then::Ready),
        // F3, F6
        (At::Body, busy, UNAVAILABLE, Then::Failed),
        (At::Begin, io, UNAVAILABLE, Then::Failed),
        (At::Body, io, UNAVAILABLE, Then::Failed),
        (At::Body, fsync, UNAVAILABLE, Then::Failed),
        (At::Body, corrupt, UNAVAILABLE, Then::ReadOnly),
        (At::Body, not_a_database, UNAVAILABLE, Then::ReadOnly),
        (At::Body, constraint, UNAVAILABLE, Then::Failed),
        // F4
        (At::Commit, fsync, Unknown, Then::Failed),
        (At::Commit, io, Unknown, Then::Failed),
        (At::Commit, busy, Unknown, Then::Failed),
        (At::Commit, corrupt, Unknown, Then::Failed),
        (At::Commit, shm_size, Unknown, Then::Failed),
        (At::Commit, constraint, Unknown, Then::Failed),
    ];
    for (at, code, answer, then) in table {
        let fault = at.fault()(error(code));
        assert_eq!(fault.answer(), answer, "{at:?} {code}");
        let road = match (fault.is_full(), fault.is_busy(), fault.is_damage()) {
            (true, false, false) => Then::Full,
            (false, true, false) => Then::Ready,
            (false, false, true) => Then::ReadOnly,
            (false, false, false) => Then::Failed,
            _ => panic!("{at:?} {code}: two roads"),
        };
        assert_eq!(road, then, "{at:?} {code}");
    }
}

#[test]
fn f4_an_error_that_is_not_of_sqlite_is_unknown_at_commit_only() {
    let fault = |at: At| at.fault()(rusqlite::Error::InvalidQuery);
    assert_eq!(fault(At::Commit).answer(), PublishError::Unknown);
    assert_eq!(fault(At::Body).answer(), UNAVAILABLE);
    assert!(!fault(At::Body).is_full() && !fault(At::Begin).is_busy());
}
