//! The image path at the end of a uuidtext file: whose strings it holds.

use super::tar_index::Stream;
use std::io::{self, Read};

const MAGIC: [u8; 4] = 0x6677_8899_u32.to_le_bytes();

/// The most ranges of strings that a file may have; macOS writes a handful.
const MAX_RANGES: u32 = 1 << 16;

/// The longest path, in bytes.
const MAX_PATH: u64 = 1024;

/// Reads the path; `None` if the file is none or is damaged.
///
/// A file begins with its magic number, two version numbers and the number of ranges, then a start and a size for each
/// range; the strings of all ranges follow, then the path.
pub fn image_path(file: &mut dyn Stream, size: u64) -> io::Result<Option<String>> {
    let mut left = size;
    let mut header = [[0; 4]; 4];
    if !take(&mut left, 16) {
        return Ok(None);
    }
    for field in &mut header {
        file.read_exact(field)?;
    }
    let [magic, _, _, ranges] = header;
    let ranges = u32::from_le_bytes(ranges);
    if magic != MAGIC || ranges > MAX_RANGES || !take(&mut left, u64::from(ranges) * 8) {
        return Ok(None);
    }
    let mut strings = 0;
    for _ in 0..ranges {
        let (mut start, mut length) = ([0; 4], [0; 4]);
        file.read_exact(&mut start)?;
        file.read_exact(&mut length)?;
        strings += u64::from(u32::from_le_bytes(length));
    }
    if !take(&mut left, strings) {
        return Ok(None);
    }
    file.pass(strings)?;
    let mut path = Vec::new();
    file.take(left.min(MAX_PATH)).read_to_end(&mut path)?;
    path.truncate(memchr::memchr(0, &path).unwrap_or(path.len()));
    Ok(String::from_utf8(path).ok().filter(|path| !path.is_empty()))
}

fn take(left: &mut u64, bytes: u64) -> bool {
    left.checked_sub(bytes).map(|rest| *left = rest).is_some()
}
