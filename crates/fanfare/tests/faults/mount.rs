//! A small file system in memory, mounted while a test runs.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A mounted tmpfs; unmounted when dropped.
pub(crate) struct Mount(TempDir);

impl Mount {
    /// Mounts one of `size`, such as `24m`.
    pub(crate) fn new(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=755");
        run(
            "mount",
            &["-t", "tmpfs", "-o", &options, "fanfare-tests"],
            folder.path(),
        );
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Forbids every write from now on.
    pub(crate) fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro"], self.path());
    }

    pub(crate) fn free(&self) -> u64 {
        let status = rustix::fs::statvfs(self.path()).unwrap();
        status.f_bavail * status.f_frsize
    }

    /// Takes room until `bytes` are left; the room returns with the file.
    pub(crate) fn fill_up_to(&self, bytes: u64) -> Filler {
        let path = self.path().join("filler");
        let mut file = File::create(&path).unwrap();
        while self.free() > bytes {
            let piece = (self.free() - bytes).clamp(1, 1 << 20);
            let written = file.write(&vec![b'x'; usize::try_from(piece).unwrap()]);
            if written.is_err() {
                break;
            }
        }
        Filler(path)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, should somebody still be in it: it goes with the last one.
        _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// A file that takes room; removed when dropped.
pub(crate) struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) {
    let output = Command::new(program).args(arguments).arg(path).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    assert!(
        output.status.success(),
        "a file system of its own cannot be mounted here; this test needs root, and a container that \
         allows it: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
