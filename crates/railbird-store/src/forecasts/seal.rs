//! Whether anybody but us wrote into a file since it was last found sound. Start at [`is_sealed`].
//!
//! Walking a store reads all of it, which a store of gigabytes cannot afford at every start. So the file's time of change carries a
//! seal: its nanoseconds are a checksum of the two pages from which LMDB finds everything else, of the file's length and of its
//! number. Whoever writes into the file moves that time, and a page restored from elsewhere does not fit it; both break the seal, and
//! the file is walked again. A file system that keeps no nanoseconds keeps no seal.
//!
//! What it does not tell: bytes that rot on the disk while nobody writes.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
};

use rustix::fs::{Timespec, Timestamps, UTIME_OMIT, futimens};

/// The part of the two first pages that says where everything is, bytes.
const META_BYTES: usize = 152;
/// Where LMDB says how large a page is.
const PAGE_BYTES_AT: usize = 40;

/// Marks the file as it is now. What cannot be marked is walked again.
pub(super) fn seal(file: &File) {
    let _ = try_seal(file);
}

fn try_seal(file: &File) -> io::Result<()> {
    let nanoseconds = checksum(file)?;
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let changed = Timespec { tv_sec: file.metadata()?.mtime(), tv_nsec: nanoseconds };
    Ok(futimens(file, &Timestamps { last_access: omit, last_modification: changed })?)
}

/// Whether the file is as it was when it was sealed. Reads its two first pages.
pub(super) fn is_sealed(file: &File) -> bool {
    let told = file.metadata().map(|about| about.mtime_nsec());
    matches!((told, checksum(file)), (Ok(told), Ok(found)) if told == found)
}

/// From 0 to 999,999,999.
fn checksum(file: &File) -> io::Result<i64> {
    let about = file.metadata()?;
    let mut first = [0; META_BYTES];
    file.read_exact_at(&mut first, 0)?;
    let page = &first[PAGE_BYTES_AT..PAGE_BYTES_AT + 4];
    let page_bytes = page.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
    let mut second = [0; META_BYTES];
    file.read_exact_at(&mut second, page_bytes)?;
    let mut hash = blake3::Hasher::new();
    hash.update(&first).update(&second).update(&about.len().to_le_bytes()).update(&about.ino().to_le_bytes());
    let mut number = [0; 8];
    hash.finalize_xof().fill(&mut number);
    Ok((u64::from_le_bytes(number) % 1_000_000_000) as i64)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;

    #[test]
    fn any_write_breaks_the_seal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.mdb");
        let mut bytes = vec![7; 40_000];
        bytes[PAGE_BYTES_AT..PAGE_BYTES_AT + 4].copy_from_slice(&4096_u32.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        let open = || File::options().read(true).write(true).open(&path).unwrap();
        assert!(!is_sealed(&open()));
        seal(&open());
        assert!(is_sealed(&open()));
        // The same byte at the same place, in the same moment.
        open().write_all_at(&[7], 20_000).unwrap();
        assert!(!is_sealed(&open()));
        seal(&open());
        assert!(is_sealed(&open()));
        // Pages of another day under the seal's time.
        let sealed_at = fs::metadata(&path).unwrap().modified().unwrap();
        open().write_all(&[8]).unwrap();
        open().set_modified(sealed_at).unwrap();
        assert!(!is_sealed(&open()));
    }

    #[test]
    fn a_file_that_is_no_store_has_no_seal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.mdb");
        for bytes in [&b""[..], b"short", &[255; 200]] {
            fs::write(&path, bytes).unwrap();
            let file = File::options().read(true).write(true).open(&path).unwrap();
            seal(&file);
            assert!(!is_sealed(&file), "{}", bytes.len());
        }
    }
}
