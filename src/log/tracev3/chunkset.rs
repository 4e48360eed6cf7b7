//! A chunkset: packed pages of records, and which of them belong to a process.

use super::bytes::Cursor;
use super::catalog::{ProcessId, chunk};

/// The tag of a chunkset.
pub const TAG: u32 = 0x600d;

/// Pages of records, and strings that are too long for a page.
const FIREHOSE: u32 = 0x6001;
const OVERSIZE: u32 = 0x6002;

/// The most that a chunkset unpacks to, in bytes. macOS packs 64 KB at once.
pub const MAX_UNPACKED: usize = 4 << 20;

/// The most that a page holds, in bytes. macOS writes pages of 4 KB.
const MAX_PAGE: usize = 64 << 10;

const LZ4: &[u8] = b"bv41";
const STORED: &[u8] = b"bv4-";
const LZBITMAP: &[u8] = b"ZBM";

/// What a chunkset holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Packing<'c> {
    /// Packed with LZ4, and its size when unpacked. A block that is cut off is shorter than it should be.
    Lz4(&'c [u8], usize),
    /// Not packed.
    Stored(&'c [u8]),
    /// Packed with LZBITMAP, since macOS 27: only macos-unifiedlogs unpacks it.
    Lzbitmap,
}

/// Why a chunkset cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunksetError {
    #[error("a chunkset has an unknown packing")]
    UnknownPacking,
    #[error("a chunkset claims to unpack to {0} bytes, and the limit is {MAX_UNPACKED}")]
    TooLarge(usize),
    #[error("a chunkset is damaged")]
    Damaged,
}

impl<'c> Packing<'c> {
    /// Looks at the data of a chunkset.
    pub fn of(data: &'c [u8]) -> Result<Self, ChunksetError> {
        let mut cursor = Cursor(data);
        let mut number = || cursor.u32().and_then(|number| usize::try_from(number).ok()).ok_or(ChunksetError::Damaged);
        if data.starts_with(LZBITMAP) {
            return check_lzbitmap(data).map(|()| Self::Lzbitmap);
        }
        if !data.starts_with(LZ4) && !data.starts_with(STORED) {
            return Err(ChunksetError::UnknownPacking);
        }
        let (_, unpacked) = (number()?, number()?);
        if unpacked > MAX_UNPACKED {
            return Err(ChunksetError::TooLarge(unpacked));
        }
        if data.starts_with(STORED) {
            let stored = cursor.0;
            return Ok(Self::Stored(stored.get(..unpacked).unwrap_or(stored)));
        }
        let packed = number()?;
        let block = cursor.0;
        Ok(Self::Lz4(block.get(..packed).unwrap_or(block), unpacked))
    }

    /// The size when unpacked, where it is known.
    pub fn unpacked(&self) -> Option<usize> {
        match self {
            Self::Lz4(_, unpacked) => Some(*unpacked),
            Self::Stored(stored) => Some(stored.len()),
            Self::Lzbitmap => None,
        }
    }
}

/// How many bytes a chunkset's data should have by what stands at its start; `None` where that is not told.
pub fn inner_length(data: &[u8]) -> Option<u64> {
    let mut cursor = Cursor(data);
    let signature = cursor.take(4)?;
    let unpacked = cursor.u32()?;
    match signature {
        STORED => Some(u64::from(unpacked) + 12),
        LZ4 => Some(u64::from(cursor.u32()?) + 16),
        _ => None,
    }
}

/// Whether bytes can be the start of a chunkset's data.
pub fn is_likely(data: &[u8]) -> bool {
    [LZ4, STORED, LZBITMAP].iter().any(|signature| data.starts_with(signature))
}

/// Adds up what the blocks of an LZBITMAP stream claim to unpack to, so that it is unpacked only within the limit.
fn check_lzbitmap(data: &[u8]) -> Result<(), ChunksetError> {
    let mut rest = data.get(4..).ok_or(ChunksetError::Damaged)?;
    let mut sum = 0;
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte));
    while let Some((header, _)) = rest.split_at_checked(6) {
        let (packed, unpacked) = header.split_at(3);
        let (packed, unpacked) = (number(packed), number(unpacked));
        if unpacked == 0 {
            return Ok(());
        }
        sum += unpacked;
        if sum > MAX_UNPACKED {
            return Err(ChunksetError::TooLarge(sum));
        }
        rest = rest.get(packed.max(6)..).ok_or(ChunksetError::Damaged)?;
    }
    Ok(())
}

/// Unpacks into a buffer that is used again. A block that is cut off gives what lies before the cut, and `false`.
pub fn unpack(packed: &[u8], unpacked: usize, into: &mut Vec<u8>) -> bool {
    into.resize(unpacked, 0);
    match lz4_flex::block::decompress_into(packed, into) {
        Ok(length) if length == unpacked => true,
        _ => {
            into.clear();
            unpack_start(packed, unpacked, into);
            false
        }
    }
}

/// Unpacks an LZ4 block as far as it goes: sequences of literals and of a copy of what was unpacked before.
fn unpack_start(packed: &[u8], limit: usize, into: &mut Vec<u8>) -> Option<()> {
    let mut cursor = Cursor(packed);
    loop {
        let token = usize::from(*cursor.take(1)?.first()?);
        let literals = length(token >> 4, &mut cursor)?;
        let available = literals.min(cursor.0.len()).min(limit.saturating_sub(into.len()));
        into.extend_from_slice(cursor.take(available)?);
        if available < literals {
            return None;
        }
        let back = usize::from(cursor.u16()?);
        let copied = length(token & 15, &mut cursor)? + 4;
        let from = into.len().checked_sub(back).filter(|_| back > 0)?;
        for at in from..from + copied.min(limit.saturating_sub(into.len())) {
            into.push(*into.get(at)?);
        }
    }
}

/// A length of four bits, with more bytes behind it where it is the largest.
fn length(bits: usize, cursor: &mut Cursor<'_>) -> Option<usize> {
    let mut length = bits;
    if bits == 15 {
        loop {
            let more = *cursor.take(1)?.first()?;
            length += usize::from(more);
            if more < 255 {
                break;
            }
        }
    }
    Some(length)
}

/// What was found in an unpacked chunkset.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Pages that were taken.
    pub pages: usize,
    /// Pages that were left.
    pub others: usize,
    /// Pages, or ends of the chunkset, that cannot be read.
    pub damaged: usize,
}

/// Adds the pages and oversize strings of wanted processes to `into`, each as it stands. `wanted` is `None` for a
/// process that is in no catalog.
pub fn take_pages(mut unpacked: &[u8], wanted: impl Fn(ProcessId) -> Option<bool>, into: &mut Vec<u8>) -> Found {
    let mut found = Found::default();
    loop {
        // Between pages there are zeros, mostly up to a multiple of eight bytes.
        let zeros = unpacked.iter().position(|byte| *byte != 0).unwrap_or(unpacked.len());
        unpacked = unpacked.get(zeros..).unwrap_or_default();
        if unpacked.is_empty() {
            return found;
        }
        let mut cursor = Cursor(unpacked);
        let Some((tag, size, page)) = next_page(&mut cursor) else {
            found.damaged += 1;
            return found;
        };
        let whole = unpacked.get(..16 + size).unwrap_or_default();
        unpacked = cursor.0;
        if tag != FIREHOSE && tag != OVERSIZE {
            continue;
        }
        let id = (|| Some((Cursor(page).u64()?, Cursor(page.get(8..)?).u32()?)))();
        match id.and_then(&wanted) {
            Some(true) if tag == FIREHOSE && !is_plausible(page) => found.damaged += 1,
            Some(true) => {
                into.extend_from_slice(whole);
                found.pages += usize::from(tag == FIREHOSE);
            }
            Some(false) => found.others += usize::from(tag == FIREHOSE),
            None => found.damaged += 1,
        }
    }
}

fn next_page<'b>(cursor: &mut Cursor<'b>) -> Option<(u32, usize, &'b [u8])> {
    let (tag, _) = (cursor.u32()?, cursor.u32()?);
    let size = usize::try_from(cursor.u64()?).ok()?;
    Some((tag, size, cursor.take(size)?))
}

/// The pages and oversize strings that `take_pages` added, one by one, and whether each is a page.
pub fn pages(taken: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let mut rest = taken;
    std::iter::from_fn(move || {
        let (whole, mut cursor) = (rest, Cursor(rest));
        let (tag, size, _) = next_page(&mut cursor)?;
        rest = cursor.0;
        Some((whole.get(..16 + size)?, tag == FIREHOSE))
    })
}

/// Whether a page's own sizes fit it: the public data counts the 16 bytes before its records.
fn is_plausible(page: &[u8]) -> bool {
    let public = page.get(16..).and_then(|rest| Cursor(rest).u16()).map(usize::from);
    page.len() <= MAX_PAGE && public.is_some_and(|public| public >= 16 && public + 16 <= page.len())
}

/// A chunkset chunk that holds pages as they are.
pub fn stored(pages: &[u8]) -> Vec<u8> {
    let length = u32::try_from(pages.len()).unwrap_or(u32::MAX).to_le_bytes();
    chunk(TAG, &[STORED, &length, pages, b"bv4$"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_is_cut_off_gives_a_start_of_what_it_holds() {
        let whole: Vec<u8> = (0..20_000_u32).flat_map(|number| (number / 7 % 977).to_string().into_bytes()).collect();
        let packed = lz4_flex::block::compress(&whole);
        let mut unpacked = Vec::new();
        assert!(unpack(&packed, whole.len(), &mut unpacked));
        assert_eq!(unpacked, whole);
        let mut before = whole.len();
        for end in (0..packed.len()).rev() {
            assert!(!unpack(packed.get(..end).unwrap(), whole.len(), &mut unpacked));
            assert!(whole.starts_with(&unpacked) && unpacked.len() <= before, "cut at {end}");
            // At most the last copy and a literal are missing for a byte.
            assert!(end + 1 < packed.len() || unpacked.len() + 1000 > whole.len(), "cut at {end}: {}", unpacked.len());
            before = unpacked.len();
        }
    }

    #[test]
    fn no_bytes_unpack_to_more_than_is_asked_for() {
        let mut unpacked = Vec::new();
        for packed in [&[0x1f, b'a', 1, 0, 255, 255, 255, 255, 0][..], &[0xff; 40], &[0xf0, 255], &[0x00, 0, 0], &[]] {
            unpack(packed, 100, &mut unpacked);
            assert!(unpacked.len() <= 100, "{packed:?}");
        }
    }
}
