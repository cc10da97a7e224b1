//! An archive or a recording sent as one body. Start at [`read_upload`].
//!
//! A tar file is what holds several files in one that every system writes and a page can put together itself. Only names that
//! an import asks for are taken, without their folders; nothing is unpacked anywhere.

use std::str;

use crate::import::{Input, InputFile};
use crate::source::{STREAM_BYTES_MAX, STREAMS};

/// Most entries that are looked at.
const ENTRIES_MAX: usize = 4_096;
/// Everything in a tar file comes in blocks of this many bytes.
const BLOCK: usize = 512;

/// Why an upload cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// No tar file.
    #[error(
        "upload: byte {at} begins no entry of a tar file; send the archive's files or one recording (.txt) as a tar file"
    )]
    NotTar {
        /// Where.
        at: usize,
    },
    /// It ends before an entry does.
    #[error("upload: ends within {name}; send it again")]
    Truncated {
        /// The entry.
        name: String,
    },
    /// Larger than a stream may be.
    #[error("upload: {name} has {bytes} bytes; expected at most {STREAM_BYTES_MAX}")]
    TooLarge {
        /// The entry.
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// Two files of one name.
    #[error("upload: {name} is there twice; send the files of one session")]
    Twice {
        /// The name.
        name: String,
    },
    /// More entries than are looked at.
    #[error("upload: more than {ENTRIES_MAX} entries; send the files of one session")]
    TooMany,
    /// Several recordings.
    #[error("upload: {count} recordings; send one at a time")]
    Recordings {
        /// How many.
        count: usize,
    },
    /// Nothing to import.
    #[error(
        "upload: no stream found; expected files like TimingData.jsonStream or one recording of the live feed (.txt)"
    )]
    Nothing,
}

/// Reads an upload: the streams of an archive, or one recording, as a tar file. `name` names the session where the source
/// does not. Entries of other names are left alone.
///
/// # Errors
/// Where it is no tar file, is cut off, holds a name twice, or holds nothing that can be imported.
pub fn read_upload(name: &str, tar: &[u8]) -> Result<Input, UploadError> {
    let (mut streams, mut recordings) = (Vec::<InputFile>::new(), Vec::new());
    let (mut at, mut entries) = (0, 0);
    while let Some(header) = tar.get(at..at + BLOCK).filter(|header| header.iter().any(|byte| *byte != 0)) {
        entries += 1;
        if entries > ENTRIES_MAX {
            return Err(UploadError::TooMany);
        }
        let entry = Entry::read(header).ok_or(UploadError::NotTar { at })?;
        let name = entry.name.rsplit('/').next().unwrap_or_default();
        let stream = STREAMS.iter().any(|stream| stream.file_name() == name);
        if stream && entry.size > STREAM_BYTES_MAX {
            return Err(UploadError::TooLarge { name: name.to_owned(), bytes: entry.size });
        }
        let truncated = || UploadError::Truncated { name: name.to_owned() };
        let size = usize::try_from(entry.size).map_err(|_| truncated())?;
        let start = at + BLOCK;
        let end = start.checked_add(size).ok_or_else(truncated)?;
        let bytes = tar.get(start..end).ok_or_else(truncated)?;
        if entry.is_file && (stream || name.ends_with(".txt")) {
            let files = if stream { &mut streams } else { &mut recordings };
            if files.iter().any(|file| file.name == name) {
                return Err(UploadError::Twice { name: name.to_owned() });
            }
            files.push(InputFile { name: name.to_owned(), bytes: bytes.to_vec() });
        }
        at = end.checked_next_multiple_of(BLOCK).ok_or_else(truncated)?;
    }
    if entries == 0 && !tar.is_empty() {
        return Err(UploadError::NotTar { at: 0 });
    }
    // Notes and read-me files lie beside the streams of an archive.
    let files = if streams.is_empty() { recordings } else { streams };
    if files.is_empty() {
        return Err(UploadError::Nothing);
    }
    if files.len() > 1 && files.iter().any(|file| file.name.ends_with(".txt")) {
        return Err(UploadError::Recordings { count: files.len() });
    }
    Ok(Input { name: name.to_owned(), files })
}

/// The header of an entry.
struct Entry<'a> {
    name: &'a str,
    size: u64,
    /// A plain file: no folder, link, or words on the entry after it.
    is_file: bool,
}

impl<'a> Entry<'a> {
    fn read(header: &'a [u8]) -> Option<Self> {
        const SUM: std::ops::Range<usize> = 148..156;
        let sum: u64 =
            header.iter().enumerate().map(|(at, byte)| u64::from(if SUM.contains(&at) { b' ' } else { *byte })).sum();
        if octal(&header[SUM])? != sum {
            return None;
        }
        let name = header[..100].split(|byte| *byte == 0).next()?;
        Some(Self {
            // A name that is not UTF-8 is none that is asked for.
            name: str::from_utf8(name).unwrap_or_default(),
            size: octal(&header[124..136])?,
            is_file: matches!(header[156], 0 | b'0'),
        })
    }
}

/// Octal digits, with spaces or zeros around.
fn octal(field: &[u8]) -> Option<u64> {
    let text = str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tar file of `(name, type, content)`.
    fn tar(entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
        let mut tar = Vec::new();
        for (name, kind, content) in entries {
            let mut header = [0; BLOCK];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
            header[148..156].fill(b' ');
            header[156] = *kind;
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
            header[154] = 0;
            tar.extend_from_slice(&header);
            tar.extend_from_slice(content);
            tar.resize(tar.len().next_multiple_of(BLOCK), 0);
        }
        tar.extend_from_slice(&[0; 2 * BLOCK]);
        tar
    }

    #[track_caller]
    fn names(tar: &[u8]) -> Result<Vec<String>, UploadError> {
        read_upload("x", tar).map(|input| input.files.into_iter().map(|file| file.name).collect())
    }

    #[test]
    fn streams_are_taken_wherever_they_lie_and_nothing_else_is() {
        let tar = tar(&[
            ("race/", b'5', b""),
            ("race/WeatherData.jsonStream", b'0', b"00:00:00.000{}"),
            ("race/notes.txt", b'0', b"words"),
            ("race/../../etc/passwd", b'0', b"root"),
            ("LapCount.jsonStream", b'2', b""),
            ("TimingData.jsonStream", 0, &[7; 1_000]),
        ]);
        let input = read_upload("race", &tar).expect("an archive");
        assert_eq!(input.name, "race");
        assert_eq!(names(&tar), Ok(vec!["WeatherData.jsonStream".to_owned(), "TimingData.jsonStream".to_owned()]));
        assert_eq!((&input.files[0].bytes[..], input.files[1].bytes.len()), (&b"00:00:00.000{}"[..], 1_000));
    }

    #[test]
    fn one_recording_is_taken_and_two_are_not() {
        assert_eq!(names(&tar(&[("fp3.txt", b'0', b"[]")])), Ok(vec!["fp3.txt".to_owned()]));
        let two = tar(&[("a.txt", b'0', b"[]"), ("b.txt", b'0', b"[]")]);
        assert_eq!(names(&two), Err(UploadError::Recordings { count: 2 }));
    }

    #[test]
    fn what_is_no_archive_is_refused_with_its_place() {
        let whole = tar(&[("TimingData.jsonStream", b'0', &[7; 1_000])]);
        assert_eq!(names(b""), Err(UploadError::Nothing));
        assert_eq!(names(b"{}"), Err(UploadError::NotTar { at: 0 }));
        assert_eq!(names(&[7; 4 * BLOCK]), Err(UploadError::NotTar { at: 0 }));
        let name = "TimingData.jsonStream".to_owned();
        assert_eq!(names(&whole[..BLOCK + 500]), Err(UploadError::Truncated { name: name.clone() }));
        let twice = [&whole[..3 * BLOCK], &whole[..]].concat();
        assert_eq!(names(&twice), Err(UploadError::Twice { name }));
        let mut broken = whole;
        broken[3] ^= 1;
        assert_eq!(names(&broken), Err(UploadError::NotTar { at: 0 }));
        assert_eq!(names(&tar(&[("readme.md", b'0', b"words")])), Err(UploadError::Nothing));
    }
}
