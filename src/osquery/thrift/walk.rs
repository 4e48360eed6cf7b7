//! The walk over Thrift's values that finds where each of them ends.

use super::{ThriftError, kind};
use std::io::Read;

/// How deep values may lie in one another. osquery's deepest, a registry, has five levels.
const DEEPEST: usize = 16;

/// How many bytes are asked for at once, whatever a length promises.
const STEP: usize = 64 << 10;

/// Walks over values and keeps the bytes it has passed.
pub struct Walker<R> {
    input: R,
    /// What was passed so far.
    pub seen: Vec<u8>,
    limit: usize,
}

impl<'b> Walker<&'b [u8]> {
    /// A walk over bytes that are there already.
    pub fn over(bytes: &'b [u8]) -> Self {
        Self::new(bytes, bytes.len())
    }
}

impl<R: Read> Walker<R> {
    /// A walk over at most `limit` bytes.
    pub fn new(input: R, limit: usize) -> Self {
        Self { input, seen: Vec::new(), limit }
    }

    /// The next few bytes.
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], ThriftError> {
        self.within_limit(N)?;
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.seen.extend_from_slice(&bytes);
        Ok(bytes)
    }

    /// The length of a string or the size of a container.
    pub fn length(&mut self) -> Result<usize, ThriftError> {
        usize::try_from(i32::from_be_bytes(self.bytes()?)).map_err(|_| ThriftError::Malformed("a length is negative"))
    }

    /// Passes a string's bytes, a step at a time.
    fn run(&mut self, mut length: usize) -> Result<(), ThriftError> {
        self.within_limit(length)?;
        while length > 0 {
            let (start, step) = (self.seen.len(), length.min(STEP));
            self.seen.resize(start + step, 0);
            self.input.read_exact(self.seen.get_mut(start..).unwrap_or_default())?;
            length -= step;
        }
        Ok(())
    }

    /// Passes a value. Every value takes at least a byte, so that no size of a container keeps this busy for long.
    pub fn skip(&mut self, kind: u8, depth: usize) -> Result<(), ThriftError> {
        if depth > DEEPEST {
            return Err(ThriftError::Malformed("its values lie too deep in one another"));
        }
        match kind {
            kind::BOOL | kind::BYTE => self.bytes::<1>().map(drop),
            kind::I16 => self.bytes::<2>().map(drop),
            kind::I32 => self.bytes::<4>().map(drop),
            kind::I64 | kind::DOUBLE => self.bytes::<8>().map(drop),
            kind::STRING => {
                let length = self.length()?;
                self.run(length)
            }
            kind::STRUCT => {
                while let Some((_, kind)) = self.field()? {
                    self.skip(kind, depth + 1)?;
                }
                Ok(())
            }
            kind::LIST | kind::SET => {
                let ([kind], count) = (self.bytes()?, self.length()?);
                (0..count).try_for_each(|_| self.skip(kind, depth + 1))
            }
            kind::MAP => {
                let ([keys, values], count) = (self.bytes()?, self.length()?);
                (0..count).try_for_each(|_| self.skip(keys, depth + 1).and_then(|()| self.skip(values, depth + 1)))
            }
            _ => Err(ThriftError::Malformed("a value is of no known type")),
        }
    }

    /// The number and type of a struct's next field; `None` at its end.
    pub fn field(&mut self) -> Result<Option<(i16, u8)>, ThriftError> {
        match self.bytes()? {
            [kind::STOP] => Ok(None),
            [kind] => Ok(Some((i16::from_be_bytes(self.bytes()?), kind))),
        }
    }

    /// The bytes passed since there were that many.
    pub fn since(&self, start: usize) -> &[u8] {
        self.seen.get(start..).unwrap_or_default()
    }

    fn within_limit(&self, more: usize) -> Result<(), ThriftError> {
        let room = self.limit.saturating_sub(self.seen.len());
        if more > room { Err(ThriftError::TooLong { limit: self.limit }) } else { Ok(()) }
    }
}

/// The raw value of a struct's field, if it is there and of that type.
pub fn field(bytes: &[u8], id: i16, kind: u8) -> Result<Option<&[u8]>, ThriftError> {
    let mut walker = Walker::over(bytes);
    while let Some(found) = walker.field()? {
        let start = walker.seen.len();
        walker.skip(found.1, 0)?;
        if found == (id, kind) {
            return Ok(bytes.get(start..walker.seen.len()));
        }
    }
    Ok(None)
}

/// The value of a key in a raw map of texts.
pub fn entry(map: &[u8], key: &str) -> Result<Option<String>, ThriftError> {
    let mut walker = Walker::over(map);
    let (kinds, count) = (walker.bytes::<2>()?, walker.length()?);
    if kinds != [kind::STRING; 2] {
        return Ok(None);
    }
    for _ in 0..count {
        let start = walker.seen.len();
        walker.skip(kind::STRING, 0)?;
        let found = walker.since(start).get(4..) == Some(key.as_bytes());
        let start = walker.seen.len();
        walker.skip(kind::STRING, 0)?;
        if found {
            return text(walker.since(start)).map(Some);
        }
    }
    Ok(None)
}

/// Refuses a raw map of texts if one of them is not UTF-8.
pub fn check_texts(map: &[u8]) -> Result<(), ThriftError> {
    let mut walker = Walker::over(map);
    let (kinds, count) = (walker.bytes::<2>()?, walker.length()?);
    if kinds != [kind::STRING; 2] {
        return Ok(());
    }
    for _ in 0..count.saturating_mul(2) {
        let start = walker.seen.len();
        walker.skip(kind::STRING, 0)?;
        text(walker.since(start))?;
    }
    Ok(())
}

/// A string's value, without its length.
pub fn text(value: &[u8]) -> Result<String, ThriftError> {
    let text = value.get(4..).unwrap_or_default();
    String::from_utf8(text.to_vec()).map_err(|_| ThriftError::Malformed("a text is not in UTF-8"))
}

/// A number's value.
pub fn bytes_of<const N: usize>(value: &[u8]) -> Result<[u8; N], ThriftError> {
    value.try_into().map_err(|_| ThriftError::Malformed("a number has the wrong width"))
}
