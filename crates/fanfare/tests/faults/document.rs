//! The page for operators: what it shows works as it stands there, on a hub that runs.

use std::fs;

use tempfile::tempdir;

use crate::hub::{Hub, is_whole};
use crate::program::Program;

#[test]
fn history_page_can_be_pasted() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operate/history.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    let commands: String = blocks
        .map(|block| block.split("```").next().unwrap())
        .collect();

    let folder = tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    for name in ["var/lib", "backup"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let lib = folder.path().join("var/lib");
    let hub = Hub::start(&lib.join("fanfare"), &[]);
    let events: Vec<_> = (0..300).map(|number| format!("event {number}")).collect();
    hub.store_all(&events);
    let here = commands
        .replace("/var/lib/", &format!("{place}/var/lib/"))
        .replace("/backup/", &format!("{place}/backup/"));
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_fanfare"));
    let pasted = Program::paste(&format!(
        "set -e; PATH='{}':\"$PATH\"\n{here}",
        program.parent().unwrap().display()
    ))
    .wait();
    assert_eq!(pasted.code, Some(0), "{pasted:?}");
    let all = hub.read_after("earliest").up_to("event 299");
    assert_eq!(hub.stop().code, Some(0));

    let restored = lib.join("fanfare-restored");
    let hub = Hub::start(&restored, &[]);
    let seen = hub.read_after("earliest").up_to("event 299");
    assert_eq!(seen, all, "ids and all");
    hub.store("after the restore");
    assert_eq!(hub.stop().code, Some(0));
    is_whole(&restored);

    let moved = Hub::start(&lib.join("fanfare-moved"), &[]);
    let seen = moved.read_after("earliest").up_to("event 299");
    assert_eq!(seen.len(), 100, "what `trim --keep 100` left");
}
