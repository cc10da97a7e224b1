//! Reading no more than one is ready to hold.

use std::{
    fmt,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use flate2::bufread::GzDecoder;

use crate::Error;

/// Deflate spends at least two bits on 258 bytes: no stream grows by more.
const DEFLATE_GROWTH_MAX: u64 = 1032;

/// A whole file of at most `bytes_max` bytes.
///
/// What the system says of the file's size is not believed: the reading itself is bounded.
///
/// # Errors
/// [`Error::Io`], [`Error::TooLarge`].
pub fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(Error::io(path, "open"))?;
    let size = file.metadata().map_err(Error::io(path, "look at"))?.len();
    let too_large = || Error::TooLarge { place: path.display().to_string(), bytes_max };
    if size > bytes_max {
        return Err(too_large());
    }
    // One byte more than the file has, so that its end is seen without growing.
    let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(|_| too_large())?.saturating_add(1));
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io(path, "read"))?;
    if bytes.len() as u64 > bytes_max { Err(too_large()) } else { Ok(bytes) }
}

/// `bytes` bytes of a file from `offset` on, which are at most `bytes_max`: both numbers may come from a file
/// that nobody vouches for.
///
/// # Errors
/// [`Error::Io`], [`Error::TooLarge`]; [`Error::Short`] before anything is allocated.
pub fn read_range_bounded(path: &Path, offset: u64, bytes: u64, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let too_large = || Error::TooLarge { place: path.display().to_string(), bytes_max };
    if bytes > bytes_max {
        return Err(too_large());
    }
    let short = || Error::Short { path: path.to_path_buf(), offset, bytes };
    let mut file = File::open(path).map_err(Error::io(path, "open"))?;
    let size = file.metadata().map_err(Error::io(path, "look at"))?.len();
    if offset.checked_add(bytes).is_none_or(|end| end > size) {
        return Err(short());
    }
    file.seek(SeekFrom::Start(offset)).map_err(Error::io(path, "seek in"))?;
    let mut range = Vec::with_capacity(usize::try_from(bytes).map_err(|_| too_large())?);
    file.take(bytes).read_to_end(&mut range).map_err(Error::io(path, "read"))?;
    if range.len() as u64 == bytes { Ok(range) } else { Err(short()) }
}

/// What one whole gzip member holds: at most `bytes_max` bytes, checksum verified, nothing after it.
///
/// A bomb costs the decoding of `bytes_max` bytes and no more memory. `place`: what the bytes are, for the error.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::Gzip`].
pub fn gunzip_bounded(bytes: &[u8], bytes_max: u64, place: impl fmt::Display) -> Result<Vec<u8>, Error> {
    let refused = |reason: &dyn fmt::Display| Error::Gzip { place: place.to_string(), reason: reason.to_string() };
    // The member states its size in its last bytes. It may lie; as a hint, bounded, it saves the growing.
    let stated = bytes.last_chunk::<4>().map_or(0, |last| u64::from(u32::from_le_bytes(*last)));
    let hint = stated.min(bytes_max).min((bytes.len() as u64).saturating_mul(DEFLATE_GROWTH_MAX));
    let mut out = Vec::with_capacity(usize::try_from(hint).unwrap_or(0).saturating_add(1));
    let mut decoder = GzDecoder::new(bytes);
    // One byte more than allowed shows that there are more, and at the bound makes the decoder look at the checksum.
    decoder.by_ref().take(bytes_max.saturating_add(1)).read_to_end(&mut out).map_err(|error| refused(&error))?;
    if out.len() as u64 > bytes_max {
        return Err(Error::TooLarge { place: place.to_string(), bytes_max });
    }
    match decoder.into_inner() {
        [] => Ok(out),
        rest => Err(refused(&format_args!("{} bytes follow it", rest.len()))),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use expect_test::{Expect, expect};
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[track_caller]
    fn check(bytes: &[u8], bytes_max: u64, want: Expect) {
        want.assert_eq(&match gunzip_bounded(bytes, bytes_max, "chunk 7") {
            Ok(out) => format!("{} bytes", out.len()),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn a_member_is_read_whole_or_refused() {
        let member = gzip(&[3; 5000]);
        check(&member, 5000, expect!["5000 bytes"]);
        check(&gzip(b""), 0, expect!["0 bytes"]);
        check(
            &member,
            4999,
            expect!["chunk 7: expected at most 4999 bytes, found more; raise the limit if this is meant"],
        );
        check(
            &member[..member.len() - 9],
            1 << 20,
            expect!["chunk 7: expected one whole gzip member, incomplete deflate stream; get the bytes again"],
        );
        check(
            &[],
            1 << 20,
            expect!["chunk 7: expected one whole gzip member, unexpected end of file; get the bytes again"],
        );
        check(
            &[member.as_slice(), &[0; 4]].concat(),
            1 << 20,
            expect!["chunk 7: expected one whole gzip member, 4 bytes follow it; get the bytes again"],
        );
        check(
            &[member.as_slice(), &gzip(&[3; 4999])].concat(),
            1 << 20,
            expect!["chunk 7: expected one whole gzip member, 40 bytes follow it; get the bytes again"],
        );
        let mut damaged = member.clone();
        damaged[15] ^= 4;
        check(
            &damaged,
            1 << 20,
            expect!["chunk 7: expected one whole gzip member, corrupt deflate stream; get the bytes again"],
        );
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_opened() {
        check(
            &gzip(&vec![0; 50 << 20]),
            1 << 20,
            expect!["chunk 7: expected at most 1048576 bytes, found more; raise the limit if this is meant"],
        );
        // It may lie about its size as well, both ways.
        let mut lying = gzip(&vec![0; 2 << 20]);
        let end = lying.len() - 4;
        lying[end..].copy_from_slice(&1000u32.to_le_bytes());
        check(
            &lying,
            1 << 20,
            expect!["chunk 7: expected at most 1048576 bytes, found more; raise the limit if this is meant"],
        );
        lying[end..].copy_from_slice(&u32::MAX.to_le_bytes());
        check(
            &lying,
            u64::MAX,
            expect![
                "chunk 7: expected one whole gzip member, corrupt gzip stream does not have a matching checksum; get the bytes again"
            ],
        );
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"0123456789").unwrap();
        assert_eq!(read_bounded(&path, 10).unwrap(), b"0123456789");
        assert!(matches!(read_bounded(&path, 9), Err(Error::TooLarge { bytes_max: 9, .. })));
        assert!(read_bounded(&folder.path().join("none"), 9).unwrap_err().is_not_found());
        assert_eq!(read_range_bounded(&path, 3, 4, 4).unwrap(), b"3456");
        assert_eq!(read_range_bounded(&path, 10, 0, 4).unwrap(), b"");
        assert!(matches!(read_range_bounded(&path, 3, 5, 4), Err(Error::TooLarge { .. })));
        assert!(matches!(read_range_bounded(&path, 8, 4, 4), Err(Error::Short { .. })));
        assert!(matches!(read_range_bounded(&path, u64::MAX, 4, 4), Err(Error::Short { .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_states_no_size_is_bounded_all_the_same() {
        assert!(matches!(read_bounded(Path::new("/dev/zero"), 1000), Err(Error::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), head: bool) {
            if head && bytes.len() > 10 { bytes[..10].copy_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]); }
            if let Ok(out) = gunzip_bounded(&bytes, 1000, "bytes") { prop_assert!(out.len() <= 1000); }
        }

        #[test]
        fn a_changed_byte_is_refused_or_harmless(bytes in proptest::collection::vec(0u8..4, 0..300), at: usize, change in 1u8..) {
            let mut member = gzip(&bytes);
            let at = at % member.len();
            member[at] ^= change;
            // The head holds a time and a system's name, which mean nothing here, and the last byte of the stream some spare bits.
            if let Ok(out) = gunzip_bounded(&member, 1 << 16, "member") {
                prop_assert_eq!(out, bytes, "byte {}", at);
            }
        }
    }
}
