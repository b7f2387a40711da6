use super::{Name, Revocations, Revoked, Terms};
use crate::error::Refusal;
use crate::presence::Holder;

const NOW: u64 = 1_767_225_600;

fn holder(issuer: &str, subject: &str, token_id: &str, issued_at: Option<u64>) -> Holder {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Holder {
        issuer: given(issuer),
        subject: given(subject),
        token_id: given(token_id),
        issued_at,
    }
}

fn revoke(revocations: &Revocations, issuer: Option<&str>, name: Name) {
    let issuer = issuer.map(str::to_owned);
    let terms = Terms {
        revoked_at: NOW,
        forgotten_at: None,
        stored_at: None,
    };
    revocations
        .add(Revoked { issuer, name }, terms, 100)
        .unwrap();
}

#[test]
fn one_token_is_revoked_by_its_id() {
    let revocations = Revocations::default();
    revoke(&revocations, None, Name::Token("t1".to_owned()));
    assert!(revocations.cover(&holder("a", "alice", "t1", None)));
    assert!(revocations.cover(&holder("", "", "t1", Some(NOW + 9))));
    assert!(!revocations.cover(&holder("a", "alice", "t2", None)));
    assert!(
        !revocations.cover(&holder("a", "t1", "", None)),
        "a subject of that name"
    );
}

#[test]
fn subject_is_revoked_for_what_was_issued_so_far() {
    let revocations = Revocations::default();
    revoke(&revocations, None, Name::Subject("alice".to_owned()));
    let alice = |issued_at| revocations.cover(&holder("a", "alice", "t", issued_at));
    assert!(alice(None) && alice(Some(NOW)) && alice(Some(NOW - 1)));
    assert!(!alice(Some(NOW + 1)));
}

#[test]
fn revocation_of_one_issuer_leaves_the_others_alone() {
    let revocations = Revocations::default();
    revoke(&revocations, Some("a"), Name::Subject("alice".to_owned()));
    assert!(revocations.cover(&holder("a", "alice", "", None)));
    assert!(!revocations.cover(&holder("b", "alice", "", None)));
    assert!(!revocations.cover(&holder("", "alice", "", None)));
}

#[test]
fn past_the_limit_nothing_is_revoked_and_what_ended_by_itself_makes_room() {
    let revocations = Revocations::default();
    let add = |id: &str, revoked_at, forgotten_at| {
        let name = Name::Token(id.to_owned());
        let terms = Terms {
            revoked_at,
            forgotten_at,
            stored_at: None,
        };
        revocations.add(Revoked { issuer: None, name }, terms, 2)
    };
    add("1", NOW, Some(NOW + 60)).unwrap();
    add("2", NOW, None).unwrap();
    assert_eq!(add("3", NOW, None), Err(Refusal::TooManyRevocations));
    add("2", NOW, None).unwrap();
    add("3", NOW + 60, None).unwrap();
    assert!(!revocations.cover(&holder("", "", "1", None)));
    assert!(revocations.cover(&holder("", "", "3", None)));
}

#[test]
fn what_the_history_drops_is_stored_anew_unless_it_ended() {
    let revocations = Revocations::default();
    let what = |id: &str| Revoked {
        issuer: None,
        name: Name::Token(id.to_owned()),
    };
    for (id, forgotten_at, stored_at) in [
        ("unstored", None, None),
        ("leaving", Some(NOW + 60), Some(9)),
        ("ended", Some(NOW), Some(9)),
        ("stays", None, Some(10)),
    ] {
        let terms = Terms {
            revoked_at: NOW,
            forgotten_at,
            stored_at,
        };
        revocations.add(what(id), terms, 10).unwrap();
    }
    let kept = || {
        let kept = revocations.kept_before(10, NOW).into_iter();
        let mut names: Vec<_> = kept.map(|(what, _)| what.name).collect();
        names.sort_by_key(|name| format!("{name:?}"));
        names
    };
    let named = |id: &str| Name::Token(id.to_owned());
    assert_eq!(kept(), [named("leaving"), named("unstored")]);
    revocations.stored(&what("leaving"), 20);
    assert_eq!(kept(), [named("unstored")]);
    revocations.forget_places();
    assert_eq!(kept().len(), 3);
}

#[test]
fn older_revocation_that_comes_later_changes_nothing() {
    let revocations = Revocations::default();
    let subject = || Revoked {
        issuer: None,
        name: Name::Subject("alice".to_owned()),
    };
    for revoked_at in [NOW, NOW - 60] {
        let terms = Terms {
            revoked_at,
            forgotten_at: None,
            stored_at: None,
        };
        revocations.add(subject(), terms, 10).unwrap();
    }
    assert!(revocations.cover(&holder("a", "alice", "t", Some(NOW))));
}
