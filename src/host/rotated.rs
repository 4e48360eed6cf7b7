//! A log that was rotated: its current file may be only minutes old, and the older lines are in a packed file beside
//! it.
//!
//! install.log is rotated at 50 MB (`/etc/asl/com.apple.install`): `install.log.0.gz` is the newest of the old ones. Earlier
//! versions of macOS packed with bzip2.

use super::FileEnd;
use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};

/// The endings of the newest rotated file, in the order in which they are looked for.
const ENDINGS: [&str; 3] = [".0.gz", ".0.bz2", ".0"];

/// How much a packed file may unpack to, in bytes: several times the size at which the log is rotated.
const MOST_UNPACKED: u64 = 256 << 20;

/// Puts the end of the rotated file before the current one, if the current one is complete and shorter than `limit`; or
/// uses it instead, if there is no current file at the moment. `open` opens the file with that ending.
pub fn join(
    current: io::Result<FileEnd>,
    limit: u64,
    open: impl Fn(&str) -> io::Result<Box<dyn Read>>,
) -> io::Result<FileEnd> {
    let mut end = match current {
        Ok(end) if end.left_out > 0 || end.bytes.len() as u64 >= limit => return Ok(end),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        current => current,
    };
    let room = limit - end.as_ref().map_or(0, |end| end.bytes.len() as u64);
    for ending in ENDINGS {
        let packed = match open(ending) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            other => other,
        };
        match packed.and_then(|packed| tail(unpacked(ending, packed), room, MOST_UNPACKED)) {
            Ok((older, left_out)) => {
                let mut joined = end.unwrap_or_default();
                joined.rotated = older.len();
                joined.left_out = left_out;
                joined.bytes.splice(0..0, older);
                return Ok(joined);
            }
            Err(why) => {
                if let Ok(end) = &mut end {
                    end.rotated_unread = Some(format!("the rotated file ({ending}) cannot be read: {why}"));
                }
                return end;
            }
        }
    }
    end
}

fn unpacked(ending: &str, packed: Box<dyn Read>) -> Box<dyn Read> {
    match ending {
        ".0.gz" => Box::new(MultiGzDecoder::new(packed)),
        ".0.bz2" => Box::new(MultiBzDecoder::new(packed)),
        _ => packed,
    }
}

/// The last `limit` bytes, and how many come before them. Memory stays bounded whatever there is to unpack.
fn tail(text: impl Read, limit: u64, most: u64) -> io::Result<(VecDeque<u8>, u64)> {
    let keep = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut kept, mut left_out, mut read) = (VecDeque::new(), 0u64, 0u64);
    let mut text = text.take(most + 1);
    let mut chunk = vec![0; 64 << 10];
    loop {
        let length = match text.read(&mut chunk) {
            Ok(0) => return Ok((kept, left_out)),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        read += length as u64;
        if read > most {
            return Err(io::Error::other(format!("it unpacks to more than {most} bytes")));
        }
        kept.extend(chunk.get(..length).unwrap_or_default());
        let surplus = kept.len().saturating_sub(keep);
        kept.drain(..surplus);
        left_out += surplus as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bzip2::write::BzEncoder;
    use flate2::write::GzEncoder;
    use std::io::{Cursor, Write};

    fn gz(text: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    fn bz2(text: &[u8]) -> Vec<u8> {
        let mut packed = BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    fn current(text: &str) -> io::Result<FileEnd> {
        Ok(FileEnd { bytes: text.as_bytes().to_vec(), ..FileEnd::default() })
    }

    fn missing() -> io::Result<FileEnd> {
        Err(ErrorKind::NotFound.into())
    }

    /// The joined text, how much of it is from the rotated file and how much before it was left out.
    fn joined(current: io::Result<FileEnd>, limit: u64, ending: &'static str, packed: &[u8]) -> (String, usize, u64) {
        let packed = packed.to_vec();
        let end = join(current, limit, |asked| {
            if asked == ending { Ok(Box::new(Cursor::new(packed.clone()))) } else { Err(ErrorKind::NotFound.into()) }
        })
        .unwrap();
        (String::from_utf8(end.bytes).unwrap(), end.rotated, end.left_out)
    }

    #[test]
    fn a_short_file_is_preceded_by_the_end_of_the_rotated_one_however_that_is_packed() {
        for (ending, packed) in
            [(".0.gz", gz(b"0123456789\n")), (".0.bz2", bz2(b"0123456789\n")), (".0", b"0123456789\n".to_vec())]
        {
            assert_eq!(joined(current("now\n"), 10, ending, &packed), ("56789\nnow\n".to_owned(), 6, 5), "{ending}");
            assert_eq!(
                joined(current("now\n"), 100, ending, &packed),
                ("0123456789\nnow\n".to_owned(), 11, 0),
                "{ending}"
            );
            assert_eq!(joined(missing(), 4, ending, &packed), ("789\n".to_owned(), 4, 7), "{ending}");
        }
    }

    #[test]
    fn a_file_that_is_long_enough_is_read_alone() {
        assert_eq!(joined(current("now\n"), 4, ".0.gz", &gz(b"old\n")), ("now\n".to_owned(), 0, 0));
        let cut = FileEnd { left_out: 7, ..current("now\n").unwrap() };
        assert_eq!(joined(Ok(cut), 100, ".0.gz", &gz(b"old\n")), ("now\n".to_owned(), 0, 7));
        assert_eq!(joined(current("now\n"), 100, ".1.gz", &gz(b"old\n")), ("now\n".to_owned(), 0, 0));
    }

    #[test]
    fn a_rotated_file_that_cannot_be_read_is_told_and_costs_nothing_else() {
        let packed = gz(&b"0123456789".repeat(10_000));
        let cut = packed[..packed.len() / 2].to_vec();
        for broken in [cut, b"no archive".to_vec(), Vec::new()] {
            let open = |ending: &str| -> io::Result<Box<dyn Read>> {
                if ending == ".0.gz" {
                    Ok(Box::new(Cursor::new(broken.clone())))
                } else {
                    Err(ErrorKind::NotFound.into())
                }
            };
            let end = join(current("now\n"), 100, open).unwrap();
            assert_eq!((end.bytes.as_slice(), end.rotated), (b"now\n".as_slice(), 0));
            assert!(broken.is_empty() || end.rotated_unread.unwrap().contains("(.0.gz) cannot be read: "));
            assert!(broken.is_empty() || join(missing(), 100, open).is_err());
        }
    }

    #[test]
    fn what_unpacks_without_end_is_given_up() {
        let error = tail(io::repeat(b'x'), 1 << 10, 1 << 20).unwrap_err();
        assert!(error.to_string().contains("1048576 bytes"), "{error}");
    }
}
