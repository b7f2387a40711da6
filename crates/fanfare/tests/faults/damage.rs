//! A damaged history (F10, F11): what is served is what was published, and nobody is left in the dark.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use crate::hub::{Hub, Outcome, begin, history};
use crate::peer::Seen;

/// A history that was closed in order, and all that is in it.
struct Intact {
    folder: TempDir,
    events: Vec<Seen>,
}

impl Intact {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let hub = Hub::start(folder.path(), &[]);
        for hundred in 0..6 {
            let batch: Vec<_> = (0..100)
                .map(|number| format!("event {hundred}.{number} {}", "x".repeat(200)))
                .collect();
            hub.store_all(&batch);
        }
        hub.store("the end");
        let events = hub.read_after("earliest").up_to("the end");
        assert_eq!(hub.stop().code, Some(0));
        Self { folder, events }
    }

    /// A copy of its database, in a directory of its own.
    fn copy(&self) -> (TempDir, PathBuf) {
        let folder = tempdir().unwrap();
        let file = folder.path().join("fanfare.db");
        fs::copy(self.folder.path().join("fanfare.db"), &file).unwrap();
        (folder, file)
    }

    fn bytes(&self) -> u64 {
        fs::metadata(self.folder.path().join("fanfare.db"))
            .unwrap()
            .len()
    }
}

fn cut(file: &Path, length: u64) {
    fs::File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_len(length)
        .unwrap();
}

fn overwrite(file: &Path, place: u64, change: impl Fn(u8) -> u8) {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[change(byte[0])], place).unwrap();
}

/// What a hub makes of the directory: it refuses with 8 and says why, or serves what was published,
/// in order, and says of every stretch that is missing that it is.
fn serves_or_refuses(intact: &Intact, directory: &Path, what: &str) {
    let hub = match Hub::ready_or_ended(begin(directory, &[], &[])) {
        Ok(hub) => hub,
        Err(ended) => {
            assert_eq!(ended.code, Some(8), "{what}: {ended:?}");
            assert!(!ended.stderr.contains("panicked"), "{what}: {ended:?}");
            return;
        }
    };
    let stored = match hub.publish("a marker") {
        Outcome::Stored(_) => true,
        Outcome::NotStored(503) => {
            assert_eq!(hub.get("/readyz").0, 503, "{what}");
            false
        }
        other @ (Outcome::NotStored(_) | Outcome::Unknown) => panic!("{what}: {other:?}"),
    };
    let mut stream = hub.read_after("earliest");
    let mut rest = intact.events.iter().peekable();
    let mut gap = false;
    while rest.peek().is_some() || stored {
        let Some(event) = stream.next() else {
            break;
        };
        if event.is_gap() {
            gap = true;
            continue;
        }
        if event.data == "a marker" {
            break;
        }
        let skipped = rest.by_ref().take_while(|it| **it != event).count();
        assert!(
            skipped == 0 || gap,
            "{what}: {skipped} before {event:?} without a word"
        );
        gap = false;
        if event == *intact.events.last().unwrap() && !stored {
            break;
        }
    }
    assert!(
        rest.next().is_none() || gap || stored,
        "{what}: the end is missing"
    );
    hub.crash();
    let verified = history(directory, &["verify"]);
    assert!(matches!(verified.code, Some(0 | 1)), "{what}: {verified:?}");
}

#[test]
fn f10_f11_flipped_bit_in_each_page_is_never_wrong_data() {
    let intact = Intact::new();
    for page in 0..intact.bytes() / 4096 {
        let (folder, file) = intact.copy();
        // Somewhere else in each page.
        let place = page * 4096 + (page * 797 + 101) % 4096;
        let bit = 1 << (page % 8);
        overwrite(&file, place, |byte| byte ^ bit);
        serves_or_refuses(
            &intact,
            folder.path(),
            &format!("bit {bit} of byte {place}"),
        );
    }
}

#[test]
fn f11_truncated_database_is_served_as_far_as_it_goes_and_not_written() {
    let intact = Intact::new();
    for length in [
        intact.bytes() / 2 / 4096 * 4096,
        intact.bytes() - 4096,
        5000,
        50,
    ] {
        let (folder, file) = intact.copy();
        cut(&file, length);
        serves_or_refuses(&intact, folder.path(), &format!("cut to {length}"));
        let refused = begin(folder.path(), &[], &["--on-damage=refuse"]).wait();
        assert_eq!(refused.code, Some(8), "{length}: {refused:?}");
        let verified = history(folder.path(), &["verify"]);
        assert_eq!(verified.code, Some(1), "{length}: {verified:?}");
    }
}

/// The newest page of records is damaged, which a start looks at.
#[test]
fn f11_damage_at_the_head_is_read_only_or_refused() {
    let intact = Intact::new();
    let (folder, file) = intact.copy();
    let bytes = fs::read(&file).unwrap();
    let end = bytes
        .windows(7)
        .rposition(|part| part == b"the end")
        .unwrap();
    overwrite(&file, end as u64, |_| b'T');
    let damaged = fs::read(&file).unwrap();

    let refused = begin(folder.path(), &[], &["--on-damage=refuse"]).wait();
    assert_eq!(refused.code, Some(8), "{refused:?}");
    assert!(refused.stderr.contains("601"), "{refused:?}");

    let hub = Hub::start(folder.path(), &[]);
    assert_eq!(hub.publish("new"), Outcome::NotStored(503));
    let (status, why) = hub.get("/readyz");
    assert_eq!(status, 503);
    assert!(why.contains("history verify"), "{why}");
    let newest = &intact.events[intact.events.len() - 2];
    let seen = hub.read_after("earliest").up_to(&newest.data);
    assert_eq!(seen, intact.events[..intact.events.len() - 1]);
    // Whoever resumes from there is told.
    assert!(hub.read_after(&newest.id).next().unwrap().is_gap());
    assert_eq!(hub.stop().code, Some(0));
    // It was left as it was found.
    assert!(fs::read(&file).unwrap() == damaged, "it was written to");
    let exported = history(folder.path(), &["export"]);
    assert_eq!(exported.code, Some(1), "{exported:?}");
    assert_eq!(exported.stdout.lines().count(), 600);
}

#[test]
fn u3_what_is_no_database_is_refused() {
    let intact = Intact::new();
    let (folder, file) = intact.copy();
    overwrite(&file, 0, |_| b'X');
    let refused = begin(folder.path(), &[], &[]).wait();
    assert_eq!(refused.code, Some(8), "{refused:?}");
    assert!(refused.stderr.contains("not a database"), "{refused:?}");
    let verified = history(folder.path(), &["verify"]);
    assert_eq!(verified.code, Some(1), "{verified:?}");
}

#[test]
fn u3_newer_schema_is_refused_with_its_number() {
    let intact = Intact::new();
    let (folder, file) = intact.copy();
    // The last byte of `user_version` in SQLite's header.
    overwrite(&file, 63, |_| 77);
    for arguments in [&[][..], &["--on-damage=read-only"]] {
        let refused = begin(folder.path(), &[], arguments).wait();
        assert_eq!(refused.code, Some(8), "{refused:?}");
        assert!(refused.stderr.contains("version 77"), "{refused:?}");
    }
    let refused = history(folder.path(), &["stats"]);
    assert_eq!(refused.code, Some(8), "{refused:?}");
}
