use super::*;

fn refusal(code: &str) -> Fault {
    Fault::Refused {
        code: code.to_owned(),
        why: String::new(),
    }
}

/// RD2: what the first write of a script is refused with stored nothing; any other failure may have
/// kept a part.
#[test]
fn rd_02_only_a_clear_refusal_is_not_stored() {
    for code in ["READONLY", "NOREPLICAS", "MISCONF", "LOADING", "MOVED"] {
        assert_eq!(outcome_of(&refusal(code)), UNAVAILABLE, "{code}");
    }
    assert_eq!(outcome_of(&refusal("OOM")), PublishError::Full);
    for fault in [
        refusal("ERR"),
        refusal(TOO_FEW),
        refusal("NOPERM"),
        Fault::Lost(String::new()),
        Fault::Odd(String::new()),
    ] {
        assert_eq!(outcome_of(&fault), PublishError::Unknown, "{fault:?}");
    }
}

#[test]
fn rd_07_counts_are_compared() {
    let counts = |own, others| Value::Array(vec![Value::Int(own), Value::Int(others)]);
    let one = Wait::Disk { replicas: 1 };
    let none = Wait::Disk { replicas: 0 };
    for (wait, answer, expected) in [
        (Wait::Nothing, Value::Nil, true),
        (Wait::Replica, Value::Int(0), false),
        (Wait::Replica, Value::Int(2), true),
        (none, counts(1, 0), true),
        (none, counts(0, 3), false),
        (one, counts(1, 0), false),
        (one, counts(1, 1), true),
        (one, Value::Int(1), false),
        (Wait::Replica, Value::Nil, false),
    ] {
        assert_eq!(is_enough(wait, &answer), expected, "{wait:?} {answer:?}");
    }
}

#[test]
fn answers_of_another_form_are_no_outcomes() {
    let stored = |numbers: &[i64]| {
        let numbers = numbers.iter().map(|number| Value::Int(*number));
        Value::Array(vec![Value::Array(numbers.collect())])
    };
    assert!(matches!(
        parse(&stored(&[1, 7, 9])).unwrap()[..],
        [Stored::At { cursor, duplicate: true }] if cursor.offset == 9
    ));
    assert!(matches!(
        parse(&stored(&[2])).unwrap()[..],
        [Stored::Reused]
    ));
    for odd in [stored(&[0, 0, 1]), stored(&[]), Value::Nil, Value::Okay] {
        assert!(parse(&odd).is_none(), "{odd:?}");
    }
}
