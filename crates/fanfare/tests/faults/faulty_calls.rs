//! The preloaded library by which calls of the program fail: see `faulty_calls.c`.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

/// Which calls fail, as bits.
pub(crate) const WRITE: i64 = 1;
pub(crate) const SYNC: i64 = 2;
pub(crate) const NAME: i64 = 4;

/// On which files of the data directory, as bits.
pub(crate) const DATABASE: i64 = 1;
pub(crate) const LOG: i64 = 2;
pub(crate) const OTHER: i64 = 4;

/// What happens then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// The process is killed before the call is made.
    Kill,
    /// `EIO`, and what the log holds beyond its last flush is gone.
    Lose,
    /// `EIO`.
    Io,
    /// `ENOSPC`.
    NoSpace,
}

/// What controls the faults of one process.
pub(crate) struct FaultyCalls {
    _folder: TempDir,
    file: PathBuf,
    control: File,
    directory: PathBuf,
}

/// The places of the numbers in the control file.
const CLOCK_SHIFT_S: u64 = 0;
const CALLS: u64 = 1;
const FILES: u64 = 2;
const COUNTDOWN: u64 = 3;
const ACTION: u64 = 4;
const HITS: u64 = 5;
const WRITES_AFTER: u64 = 6;
const SYNCS_AFTER: u64 = 7;
const NUMBERS: usize = 8;

impl FaultyCalls {
    /// No faults yet, for a hub that keeps its history in `directory`.
    pub(crate) fn new(directory: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("control");
        fs::write(&file, [0; 8 * NUMBERS]).unwrap();
        let control = OpenOptions::new().read(true).write(true).open(&file);
        Self {
            _folder: folder,
            file,
            control: control.unwrap(),
            directory: directory.to_owned(),
        }
    }

    /// What the process must have in its environment.
    pub(crate) fn variables(&self) -> [(&str, &str); 3] {
        [
            ("LD_PRELOAD", LIBRARY.to_str().unwrap()),
            ("FAULTY_CONTROL", self.file.to_str().unwrap()),
            ("FAULTY_DIRECTORY", self.directory.to_str().unwrap()),
        ]
    }

    /// From now on the `count`-th of `calls` on `files` takes `action`; the others go through.
    pub(crate) fn arm(&self, calls: i64, files: i64, count: i64, action: Action) {
        self.set(COUNTDOWN, 0);
        self.set(HITS, 0);
        self.set(WRITES_AFTER, 0);
        self.set(SYNCS_AFTER, 0);
        self.set(CALLS, calls);
        self.set(FILES, files);
        self.set(
            ACTION,
            match action {
                Action::Kill => -1,
                Action::Lose => -2,
                Action::Io => 5,
                Action::NoSpace => 28,
            },
        );
        self.set(COUNTDOWN, count);
    }

    /// Moves the wall clock of the process, against the true one.
    pub(crate) fn shift_clock(&self, seconds: i64) {
        self.set(CLOCK_SHIFT_S, seconds);
    }

    /// Whether the call that is to fail has come.
    pub(crate) fn has_hit(&self) -> bool {
        self.read(HITS) > 0
    }

    /// Writes and flushes in the data directory since then.
    pub(crate) fn calls_after(&self) -> (i64, i64) {
        (self.read(WRITES_AFTER), self.read(SYNCS_AFTER))
    }

    fn set(&self, place: u64, number: i64) {
        let bytes = number.to_ne_bytes();
        self.control.write_all_at(&bytes, 8 * place).unwrap();
    }

    fn read(&self, place: u64) -> i64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, 8 * place).unwrap();
        i64::from_ne_bytes(bytes)
    }
}

/// The library, compiled once for each run of the tests.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/faulty_calls.c");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join(format!("faulty_calls-{}.so", std::process::id()));
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([library.as_os_str(), source.as_ref()])
        .output()
        .expect("the C compiler `cc`, which Rust links with too");
    assert!(compiled.status.success(), "{compiled:?}");
    library
});
