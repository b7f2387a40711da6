//! Every rule id of the protocol reference, and why some of them have no case.

/// All ids, in the reference's order.
pub(crate) fn ids() -> impl Iterator<Item = String> {
    let of_letter = |(letter, count): &(&str, u32)| {
        let letter = letter.to_string();
        (1..=*count).map(move |number| format!("{letter}{number}"))
    };
    LETTERS.iter().flat_map(of_letter)
}

/// How many rules there are of each letter.
const LETTERS: [(&str, u32); 26] = [
    ("D0-U", 8),
    ("D0-L", 5),
    ("D0-M", 10),
    ("D0-S", 8),
    ("D0-W", 3),
    ("D0-P", 14),
    ("D0-A", 12),
    ("D0-H", 10),
    ("D0-R", 15),
    ("D0-C", 7),
    ("D0-G", 10),
    ("D1-T", 2),
    ("D1-M", 7),
    ("D1-S", 9),
    ("D1-P", 9),
    ("D1-A", 14),
    ("D1-E", 9),
    ("D1-D", 8),
    ("D1-H", 6),
    ("D1-R", 11),
    ("D1-L", 4),
    ("D1-C", 2),
    ("D1-G", 9),
    ("DX-", 16),
    ("CF-", 26),
    ("OP-", 18),
];

/// Why no case proves the rule `id`, if none does.
pub(crate) fn unseen(id: &str) -> Option<&'static str> {
    if id.starts_with("CF-") {
        return Some("how a hub is configured is its own affair");
    }
    let covering = |(ids, _): &&(&[&str], &str)| ids.contains(&id);
    let (_, reason) = UNSEEN.iter().chain(&UNTESTED).find(covering)?;
    Some(reason)
}

/// Rules that leave a hub nothing to do wrong, and those that Fanfare does not keep yet.
const UNTESTED: [(&[&str], &str); 8] = [
    (
        &["D0-L1", "D0-L2", "D0-L3", "D0-L4", "D0-L5"],
        "discovery is the application's part, and the client's",
    ),
    (
        &["D1-L2", "D1-L3", "D1-L4"],
        "discovery and encryption are the application's part, and the client's",
    ),
    (
        &["D0-A12"],
        "the application sets the cookie and chooses its attributes",
    ),
    (
        &["D0-S7", "OP-18"],
        "a MAY, or no rule at all: whatever the hub does is right",
    ),
    (
        &["D0-H8", "D0-H9"],
        "what a client does about a loss; that it can see one is D0-G9",
    ),
    (&["D1-H5"], "how an id was made cannot be told from the id"),
    (
        &["OP-8", "OP-12"],
        "a durable broker's affair, over a restart and inside the process",
    ),
    (&["OP-15"], "spans are not part of the protocol"),
];

/// Rules that cannot be seen from outside; Fanfare's own tests are named after them.
const UNSEEN: [(&[&str], &str); 9] = [
    (
        &["D1-L1", "D1-G4"],
        "where a hub's URL is was told to the suite",
    ),
    (
        &["D0-U8"],
        "the suite speaks plain HTTP/1.1; TLS and HTTP/2 are not asked for",
    ),
    (&["D1-S6"], "a MAY: whatever the hub does is right"),
    (
        &["D0-C6"],
        "lists of origins are checked when the hub starts",
    ),
    (&["D1-M6"], "it describes the reference hub alone"),
    (
        &["D1-S7", "D1-E7", "D1-G6"],
        "the suite does not exhaust a hub's connections",
    ),
    (&["DX-15"], "a sentence for the documentation"),
    (
        &["OP-3", "OP-9", "OP-10", "OP-17"],
        "it shows over hours, inside the process, or along with D0-W1",
    ),
    (
        &["OP-13", "OP-14", "OP-16"],
        "operation is not part of the protocol, and is asked for elsewhere",
    ),
];

#[cfg(test)]
mod tests;
