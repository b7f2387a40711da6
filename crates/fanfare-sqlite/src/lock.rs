//! One process for each data directory (U1).

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::OpenError;

/// The data directory, held until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

impl Lock {
    /// Makes `directory` if it is missing, for its owner alone (S27), and takes it.
    ///
    /// The kernel releases it with the process, however that ends.
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
        let refused = |action| {
            move |source| OpenError::Directory {
                directory: directory.to_owned(),
                action,
                source,
            }
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(directory).map_err(refused("make it"))?;
        refuse_remote(directory)?;
        let mut file = open(directory).map_err(refused("write to it"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                // Whoever holds it may not have written it yet.
                _ = file.read_to_string(&mut pid);
                let directory = directory.to_owned();
                let pid = Some(pid.trim()).filter(|pid| !pid.is_empty());
                let pid = pid.unwrap_or("(unknown)").to_owned();
                return Err(OpenError::InUse { directory, pid });
            }
            Err(error) => return Err(refused("lock it")(error.into())),
        }
        match sign(&mut file) {
            // A full disk is no reason not to serve what is stored.
            Err(error) if error.kind() != io::ErrorKind::StorageFull => {
                Err(refused("write to it")(error))
            }
            Ok(()) | Err(_) => Ok(Self(file)),
        }
    }
}

fn open(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(directory.join("LOCK"))
}

/// Says who holds it; over what stood there, so that it takes no room that was not taken before.
fn sign(file: &mut File) -> io::Result<()> {
    let pid = format!("{}\n", std::process::id());
    file.rewind()?;
    file.write_all(pid.as_bytes())?;
    file.set_len(pid.len() as u64)
}

/// Refuses file systems of other machines, by their magic numbers (`statfs(2)`).
fn refuse_remote(directory: &Path) -> Result<(), OpenError> {
    let Ok(status) = rustix::fs::statfs(directory) else {
        return Ok(());
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the kernel's magic numbers have 32 bits, in whatever type"
    )]
    let kind = match status.f_type as u32 {
        0x6969 => "NFS",
        0x517B | 0xFE53_4D42 | 0xFF53_4D42 => "SMB",
        0x0102_1997 => "9P",
        0x6573_5546 => {
            tracing::warn!(
                directory = %directory.display(),
                "the data directory is on FUSE: what is flushed there may not be on a disk"
            );
            return Ok(());
        }
        _ => return Ok(()),
    };
    let directory = directory.to_owned();
    Err(OpenError::Remote { directory, kind })
}
