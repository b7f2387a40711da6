//! The data directory: not writable, or in use.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::tempdir;

use crate::hub::{Hub, begin, broker, history, is_whole};
use crate::mount::Mount;
use crate::program::Program;

#[test]
fn read_only_disk_ends_with_8_and_says_so_as_root() {
    let disk = Mount::new("16m");
    let directory = disk.path().join("data");
    Hub::start(&directory, &[]).stop();
    disk.make_read_only();
    let refused = begin(&directory, &[], &[]).wait();
    assert_eq!(refused.code, Some(8), "{refused:?}");
    for part in [directory.to_str().unwrap(), "Read-only file system"] {
        assert!(refused.stderr.contains(part), "no {part} in {refused:?}");
    }
}

/// Root may write everywhere, so the program runs as nobody.
#[test]
fn directory_of_somebody_else_ends_with_8_and_says_so_as_root() {
    let folder = tempdir().unwrap();
    let world = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    world(folder.path(), 0o755);
    let program = folder.path().join("fanfare");
    fs::copy(env!("CARGO_BIN_EXE_fanfare"), &program).unwrap();
    world(&program, 0o755);
    let directory = folder.path().join("data");
    Hub::start(&directory, &[]).stop();

    for (mode, missing) in [(0o755, false), (0o700, false), (0o755, true)] {
        world(&directory, mode);
        let place = if missing {
            directory.join("new")
        } else {
            directory.clone()
        };
        let refused = Program::paste(&format!(
            "cd /; exec setpriv --reuid 65534 --regid 65534 --clear-groups '{}' serve --dev \
             --listen 127.0.0.1:0 '{}'",
            program.display(),
            broker(&place),
        ))
        .wait();
        assert_eq!(refused.code, Some(8), "{mode:o}: {refused:?}");
        for part in [place.to_str().unwrap(), "Permission denied"] {
            assert!(refused.stderr.contains(part), "no {part} in {refused:?}");
        }
    }
}

#[test]
fn u1_second_process_names_the_first() {
    let folder = tempdir().unwrap();
    let hub = Hub::start(folder.path(), &[]);
    hub.store("one");
    let pid = format!("process {}", hub.id());
    let refused = begin(folder.path(), &[], &[]).wait();
    assert_eq!(refused.code, Some(8), "{refused:?}");
    assert!(refused.stderr.contains(&pid), "{refused:?}");

    for arguments in [&["trim", "--keep=1"][..], &["import"]] {
        let refused = history(folder.path(), arguments);
        assert_eq!(refused.code, Some(8), "{refused:?}");
        for part in [&pid, "stop that hub first, or "] {
            assert!(refused.stderr.contains(part), "no {part} in {refused:?}");
        }
    }
    // It was not disturbed.
    hub.store("two");
    assert_eq!(hub.read_after("earliest").up_to("two").len(), 2);
    is_whole(folder.path());
}
