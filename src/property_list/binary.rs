//! A look at a property list in binary form before it is read: the `plist` crate follows its references without a limit
//! to their depth, and writes an object out as often as it is referred to, so that a kilobyte can stand for gigabytes.

use thiserror::Error;

/// How deep lists and dictionaries may lie in each other.
const MAX_DEPTH: usize = 64;

/// How many objects are read, one that is referred to twice counted twice.
const MAX_OBJECTS: usize = 100_000;

/// The trailer that the file ends with: 6 bytes of nothing, the sizes of an offset and of a reference, then the number
/// of objects, the root and where the table of offsets is, 8 bytes each.
const TRAILER: usize = 32;

/// Why a binary property list is not read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BinaryPlistError {
    /// A number points outside the file, or a size is none.
    #[error("it is damaged: a reference in it leads nowhere")]
    Damaged,
    /// Too many levels.
    #[error("its lists and dictionaries are nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// Too many objects.
    #[error("it expands to more than {MAX_OBJECTS} values")]
    TooMany,
}

/// Checks that the file can be read within the limits.
pub fn check(bytes: &[u8]) -> Result<(), BinaryPlistError> {
    let trailer = bytes.len().checked_sub(TRAILER).and_then(|at| bytes.get(at..)).ok_or(BinaryPlistError::Damaged)?;
    let one = |at: usize| trailer.get(at).map(|byte| usize::from(*byte)).ok_or(BinaryPlistError::Damaged);
    let eight = |at: usize| number(trailer, at, 8).ok_or(BinaryPlistError::Damaged);
    let (offset_size, reference_size, count, offsets) = (one(6)?, one(7)?, eight(8)?, eight(24)?);
    let mut walk = Walk { bytes, offset_size, reference_size, count, offsets, left: MAX_OBJECTS };
    walk.object(eight(16)?, MAX_DEPTH)
}

struct Walk<'b> {
    bytes: &'b [u8],
    offset_size: usize,
    reference_size: usize,
    /// How many objects the file says it has.
    count: usize,
    /// Where the table of offsets begins.
    offsets: usize,
    /// How many objects may still come.
    left: usize,
}

impl Walk<'_> {
    fn object(&mut self, index: usize, depth_left: usize) -> Result<(), BinaryPlistError> {
        self.left = self.left.checked_sub(1).ok_or(BinaryPlistError::TooMany)?;
        let Some((children, count)) = self.children(index).ok_or(BinaryPlistError::Damaged)? else { return Ok(()) };
        let depth_left = depth_left.checked_sub(1).ok_or(BinaryPlistError::TooDeep)?;
        for child in 0..count {
            let at = child.checked_mul(self.reference_size).and_then(|at| at.checked_add(children));
            let index =
                at.and_then(|at| number(self.bytes, at, self.reference_size)).ok_or(BinaryPlistError::Damaged)?;
            self.object(index, depth_left)?;
        }
        Ok(())
    }

    /// Where the references of a list or dictionary begin and how many they are; `Some(None)` for any other object,
    /// `None` if it lies outside the file.
    fn children(&self, index: usize) -> Option<Option<(usize, usize)>> {
        if index >= self.count {
            return None;
        }
        let entry = self.offsets.checked_add(index.checked_mul(self.offset_size)?)?;
        let at = number(self.bytes, entry, self.offset_size)?;
        let marker = *self.bytes.get(at)?;
        let each = match marker >> 4 {
            0xA | 0xC => 1,
            // Keys first, then values.
            0xD => 2,
            _ => return Some(None),
        };
        let (count, begin) = match marker & 0xF {
            // The count did not fit: it follows as an integer of 1, 2, 4 or 8 bytes.
            0xF => {
                let length =
                    1usize.checked_shl(u32::from(self.bytes.get(at + 1)? & 0xF)).filter(|length| *length <= 8)?;
                (number(self.bytes, at + 2, length)?, at + 2 + length)
            }
            count => (usize::from(count), at + 1),
        };
        Some(Some((begin, count.checked_mul(each)?)))
    }
}

/// A number of that many bytes, the highest first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let digits = bytes.get(at..at.checked_add(length)?).filter(|digits| (1..=8).contains(&digits.len()))?;
    usize::try_from(digits.iter().fold(0u64, |sum, digit| sum << 8 | u64::from(*digit))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plist::{Dictionary, Value};

    fn binary(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        value.to_writer_binary(&mut bytes).unwrap();
        bytes
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(Value::String("x".to_owned()), |inner, _| Value::Array(vec![inner]))
    }

    /// Objects one after another, and the trailer, with one byte a number. The first is the root.
    fn file(objects: &[&[u8]]) -> Vec<u8> {
        let (mut bytes, mut offsets) = (b"bplist00".to_vec(), Vec::new());
        for object in objects {
            offsets.push(u8::try_from(bytes.len()).unwrap());
            bytes.extend(*object);
        }
        let table = u8::try_from(bytes.len()).unwrap();
        let count = u8::try_from(objects.len()).unwrap();
        bytes.extend(offsets);
        bytes.extend([0, 0, 0, 0, 0, 0, 1, 1]);
        for number in [count, 0, table] {
            bytes.extend([0, 0, 0, 0, 0, 0, 0, number]);
        }
        bytes
    }

    #[test]
    fn a_common_file_passes_and_is_read() {
        let mut dictionary = Dictionary::new();
        dictionary.insert("list".to_owned(), Value::Array((0..300).map(|n: i64| Value::Integer(n.into())).collect()));
        let bytes = binary(&Value::Dictionary(dictionary));
        assert_eq!(check(&bytes), Ok(()));
        assert!(Value::from_reader(std::io::Cursor::new(bytes)).is_ok());
    }

    #[test]
    fn levels_beyond_the_limit_are_refused() {
        assert_eq!(check(&binary(&nested(MAX_DEPTH))), Ok(()));
        assert_eq!(check(&binary(&nested(MAX_DEPTH + 1))), Err(BinaryPlistError::TooDeep));
    }

    #[test]
    fn a_list_that_holds_itself_is_refused() {
        assert_eq!(check(&file(&[&[0xA1, 0]])), Err(BinaryPlistError::TooDeep));
    }

    #[test]
    fn few_bytes_that_stand_for_many_objects_are_refused() {
        // Each of 30 lists holds the next one twice.
        let lists: Vec<[u8; 3]> = (1..=30).map(|next| [0xA2, next, next]).collect();
        let mut objects: Vec<&[u8]> = lists.iter().map(<[u8; 3]>::as_slice).collect();
        objects.push(&[0x09]);
        assert_eq!(check(&file(&objects)), Err(BinaryPlistError::TooMany));
    }

    #[test]
    fn references_that_lead_nowhere_are_refused() {
        assert_eq!(check(b"bplist00"), Err(BinaryPlistError::Damaged));
        assert_eq!(check(&file(&[&[0xA1, 7]])), Err(BinaryPlistError::Damaged));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..120)) {
            let _ = check(&bytes);
        }
    }
}
