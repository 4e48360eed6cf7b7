//! A file with the strings of a shared cache, of a hundred megabytes and more: its tables are read, and of the strings
//! those alone that records name.

use super::bytes::{Cursor, text};
use super::format_strings::{MAX_FORMAT, tame};
use crate::host::pieces::Piece;
use macos_unifiedlogs::dsc::{RangeDescriptor, SharedCacheStrings, UUIDDescriptor};
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

const MAGIC: u32 = 0x6473_6368;

/// The most ranges of strings and images. macOS 12 has 3,432 and 2,250.
const MAX_RANGES: u32 = 1 << 17;
const MAX_IMAGES: u32 = 1 << 16;

/// The longest path of an image, in bytes.
const MAX_PATH: usize = 1024;

/// How many bytes of strings are kept, and how many offsets that name none; beyond it all are forgotten and read again.
const MAX_KEPT: usize = 8 << 20;
const MAX_UNKNOWN: usize = 1 << 16;

/// A file whose tables were read.
pub struct SharedCache {
    file: Piece,
    version: (u16, u16),
    ranges: Vec<StringRange>,
    images: Vec<Image>,
    /// The strings that were named, by their offsets.
    strings: BTreeMap<u64, NamedString>,
    unknown: HashSet<u64>,
    bytes: usize,
    named: Arc<SharedCacheStrings>,
}

/// Where strings of an image lie: in the shared cache, and in the file.
struct StringRange {
    offset: u64,
    size: u32,
    data: u32,
    image: usize,
}

/// An image of the shared cache.
struct Image {
    uuid: u128,
    path_at: u32,
    path: Option<String>,
}

struct NamedString {
    /// With a NUL behind it.
    text: Vec<u8>,
    image: usize,
}

impl SharedCache {
    /// Reads the tables of a file; `None` if it is none.
    ///
    /// Version 2, since macOS 12, has wider offsets than version 1.
    pub fn open(mut file: Piece) -> io::Result<Option<Self>> {
        let mut header = [0; 16];
        file.read_exact(&mut header)?;
        let mut cursor = Cursor(&header);
        let fields = (|| {
            let (magic, [major, minor]) = (cursor.u32()?, cursor.numbers()?);
            Some((magic, (major, minor), cursor.u32()?, cursor.u32()?))
        })();
        let Some((MAGIC, version, ranges @ ..=MAX_RANGES, images @ ..=MAX_IMAGES)) = fields else { return Ok(None) };
        let is_wide = version.0 == 2;
        let (range_size, image_size) = if is_wide { (24, 32) } else { (16, 28) };
        let mut tables = Vec::new();
        let size = u64::from(ranges) * range_size + u64::from(images) * image_size;
        file.by_ref().take(size).read_to_end(&mut tables)?;
        let mut cursor = Cursor(&tables);
        let ranges = (0..ranges).map(|_| read_range(&mut cursor, is_wide)).collect::<Option<Vec<_>>>();
        let images = (0..images).map(|_| read_image(&mut cursor, is_wide)).collect::<Option<Vec<_>>>();
        let Some((ranges, images)) = ranges.zip(images) else { return Ok(None) };
        let mut cache = Self {
            file,
            version,
            ranges,
            images,
            strings: BTreeMap::new(),
            unknown: HashSet::new(),
            bytes: 0,
            named: Arc::default(),
        };
        if let Some(first) = cache.ranges.first().map(|first| first.image) {
            let _ = cache.read_path(first);
        }
        cache.publish();
        Ok(Some(cache))
    }

    /// The strings that were named, in the form that macos-unifiedlogs looks them up in.
    pub fn named(&self) -> Arc<SharedCacheStrings> {
        self.named.clone()
    }

    /// Reads the strings at offsets, which are in order. One that is in no range, or cannot be read, is left out.
    pub fn name(&mut self, offsets: &[u64]) {
        if self.bytes > MAX_KEPT || self.unknown.len() > MAX_UNKNOWN {
            (self.strings, self.unknown, self.bytes) = Default::default();
        }
        let is_new = |offset: &&u64| !self.strings.contains_key(offset) && !self.unknown.contains(offset);
        let new: Vec<u64> = offsets.iter().filter(is_new).copied().collect();
        if new.is_empty() {
            return;
        }
        for offset in new {
            match self.read_string(offset) {
                Ok(Some(string)) => {
                    self.bytes += string.text.len() + 64;
                    self.strings.insert(offset, string);
                }
                _ => drop(self.unknown.insert(offset)),
            }
        }
        self.publish();
    }

    fn read_string(&mut self, offset: u64) -> io::Result<Option<NamedString>> {
        let within =
            |range: &&StringRange| offset.checked_sub(range.offset).is_some_and(|at| at < u64::from(range.size));
        let Some(range) = self.ranges.iter().find(within) else { return Ok(None) };
        let (at, image) = (offset - range.offset, range.image);
        let (from, left) = (u64::from(range.data) + at, u64::from(range.size) - at);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(MAX_FORMAT);
        let mut text = self.read_text(from, length)?;
        text.push(0);
        tame(&mut text);
        self.read_path(image)?;
        Ok(Some(NamedString { text, image }))
    }

    /// Reads the path of an image, once.
    fn read_path(&mut self, image: usize) -> io::Result<()> {
        let unread = self.images.get(image).filter(|image| image.path.is_none()).map(|image| image.path_at);
        if let Some(path_at) = unread {
            let path = String::from_utf8_lossy(&self.read_text(path_at.into(), MAX_PATH)?).into_owned();
            self.images.get_mut(image).into_iter().for_each(|image| image.path = Some(path.clone()));
        }
        Ok(())
    }

    /// The bytes from there on up to a NUL, so many at most.
    fn read_text(&mut self, from: u64, length: usize) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        // Most strings are short.
        for size in [length.min(512), length] {
            let missing = size.saturating_sub(bytes.len());
            self.file.by_ref().take(missing as u64).read_to_end(&mut bytes)?;
            let end = text(&bytes).len();
            if end < bytes.len() {
                bytes.truncate(end);
                return Ok(bytes);
            }
            if bytes.len() < size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(bytes)
    }

    /// Makes each string a range of its own. macos-unifiedlogs takes the image of the first range where a string is
    /// dynamic or its offset invalid, so that one comes first, without any string.
    fn publish(&mut self) {
        let mut images: BTreeMap<usize, u64> = BTreeMap::new();
        let mut uuids = Vec::new();
        let mut image_of = |image: usize| {
            *images.entry(image).or_insert_with(|| {
                let found = self.images.get(image);
                uuids.push(UUIDDescriptor {
                    uuid: format!("{:032X}", found.map_or(0, |image| image.uuid)),
                    path_string: found.and_then(|image| image.path.clone()).unwrap_or_default(),
                    ..UUIDDescriptor::default()
                });
                uuids.len() as u64 - 1
            })
        };
        let first = self.ranges.first().map(|first| RangeDescriptor {
            range_offset: first.offset,
            uuid_index: image_of(first.image),
            ..RangeDescriptor::default()
        });
        let named = self.strings.iter().map(|(offset, string)| RangeDescriptor {
            range_offset: *offset,
            range_size: u32::try_from(string.text.len()).unwrap_or(u32::MAX),
            uuid_index: image_of(string.image),
            strings: string.text.clone(),
            ..RangeDescriptor::default()
        });
        let ranges: Vec<_> = first.into_iter().chain(named).collect();
        self.named = Arc::new(SharedCacheStrings {
            signature: MAGIC,
            major_version: self.version.0,
            minor_version: self.version.1,
            number_ranges: u32::try_from(ranges.len()).unwrap_or(u32::MAX),
            number_uuids: u32::try_from(uuids.len()).unwrap_or(u32::MAX),
            ranges,
            uuids,
            dsc_uuid: String::new(),
        });
    }
}

fn read_range(cursor: &mut Cursor<'_>, is_wide: bool) -> Option<StringRange> {
    let index = |number: u64| usize::try_from(number).ok();
    if is_wide {
        let (offset, data, size) = (cursor.u64()?, cursor.u32()?, cursor.u32()?);
        return Some(StringRange { offset, size, data, image: index(cursor.u64()?)? });
    }
    let (image, offset, data, size) = (cursor.u32()?, cursor.u32()?, cursor.u32()?, cursor.u32()?);
    Some(StringRange { offset: offset.into(), size, data, image: index(image.into())? })
}

fn read_image(cursor: &mut Cursor<'_>, is_wide: bool) -> Option<Image> {
    let _text_at = if is_wide { cursor.u64()? } else { cursor.u32()?.into() };
    let _text_size = cursor.u32()?;
    let (uuid, path_at) = (cursor.uuid()?, cursor.u32()?);
    Some(Image { uuid, path_at, path: None })
}
