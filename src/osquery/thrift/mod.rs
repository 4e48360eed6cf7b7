//! A small codec for Thrift's strict binary protocol over an unframed stream, as osquery speaks it.
//!
//! A message is read whole by walking its values, and kept as raw bytes. No length is trusted: memory never grows ahead
//! of the bytes that have arrived, and length and depth are bounded.

mod encode;
#[cfg(test)]
mod tests;
mod walk;

pub use encode::{Encoder, call_failed, done, success, unknown_method};
use std::io::{self, ErrorKind, Read};
use thiserror::Error;
use walk::{Walker, bytes_of, check_texts, entry, field, text};

/// The types of Thrift's values, as they stand on the wire.
mod kind {
    pub const STOP: u8 = 0;
    pub const BOOL: u8 = 2;
    pub const BYTE: u8 = 3;
    pub const DOUBLE: u8 = 4;
    pub const I16: u8 = 6;
    pub const I32: u8 = 8;
    pub const I64: u8 = 10;
    pub const STRING: u8 = 11;
    pub const STRUCT: u8 = 12;
    pub const MAP: u8 = 13;
    pub const SET: u8 = 14;
    pub const LIST: u8 = 15;
}

/// The version that begins every strict message, in the upper half of its first word.
const VERSION: u32 = 0x8001_0000;

/// Why a message could not be read.
#[derive(Debug, Error)]
pub enum ThriftError {
    /// The connection ended or timed out within a message.
    #[error("the connection broke off: {0}")]
    Broken(#[from] io::Error),
    /// It would be longer than the caller takes.
    #[error("a message is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// It is not what Thrift's strict binary protocol allows.
    #[error("a message is not in Thrift's strict binary protocol: {0}")]
    Malformed(&'static str),
    /// The other side answered with an exception.
    #[error("the other side answered: {0}")]
    Exception(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// A call that wants an answer.
    Call = 1,
    /// An answer.
    Reply = 2,
    /// An exception instead of an answer.
    Exception = 3,
    /// A call that wants none.
    Oneway = 4,
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Call or answer.
    pub kind: MessageKind,
    /// The method's name.
    pub name: String,
    /// The number that an answer repeats.
    pub sequence: i32,
    bytes: Vec<u8>,
    body: usize,
}

impl Message {
    /// Reads one message of at most `limit` bytes; `None` if the stream ends before it begins.
    pub fn read(input: &mut impl Read, limit: usize) -> Result<Option<Self>, ThriftError> {
        let mut first = [0];
        loop {
            match input.read(&mut first) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(why.into()),
            }
        }
        let mut walker = Walker::new(first.chain(input), limit);
        let word = u32::from_be_bytes(walker.bytes()?);
        let kind = match (word & 0xffff_0000, word & 0xffff) {
            (VERSION, 1) => MessageKind::Call,
            (VERSION, 2) => MessageKind::Reply,
            (VERSION, 3) => MessageKind::Exception,
            (VERSION, 4) => MessageKind::Oneway,
            _ => return Err(ThriftError::Malformed("it does not begin with the protocol's version")),
        };
        let start = walker.seen.len();
        walker.skip(kind::STRING, 0)?;
        let name = text(walker.since(start))?;
        let sequence = i32::from_be_bytes(walker.bytes()?);
        let body = walker.seen.len();
        walker.skip(kind::STRUCT, 0)?;
        Ok(Some(Self { kind, name, sequence, bytes: walker.seen, body }))
    }

    /// The message as it stood on the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, to send on.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The arguments of a call or the result of a reply: a struct.
    fn body(&self) -> &[u8] {
        self.bytes.get(self.body..).unwrap_or_default()
    }

    /// The registry within a call of `registerExtension`, raw.
    pub fn registry(&self) -> Result<Vec<u8>, ThriftError> {
        let registry = field(self.body(), 2, kind::MAP)?.ok_or(ThriftError::Malformed("it has no registry"))?;
        Ok(registry.to_vec())
    }

    /// What a `call(registry, item, request)` goes to: the registry, the item, and the request's action.
    pub fn target(&self) -> Result<[String; 3], ThriftError> {
        let named = |id| field(self.body(), id, kind::STRING)?.map_or(Ok(String::new()), text);
        let request = field(self.body(), 3, kind::MAP)?.unwrap_or_default();
        Ok([named(1)?, named(2)?, entry(request, "action")?.unwrap_or_default()])
    }

    /// The constraints of a call of `generate`, as osquery writes them.
    pub fn context(&self) -> Result<String, ThriftError> {
        let request = field(self.body(), 3, kind::MAP)?.unwrap_or_default();
        Ok(entry(request, "context")?.unwrap_or_default())
    }

    /// Whether all texts of a call's request are UTF-8. The crate's server drops the connection of one that is not.
    pub fn check_request(&self) -> Result<(), ThriftError> {
        field(self.body(), 3, kind::MAP)?.map_or(Ok(()), check_texts)
    }

    /// The same answer to another call of the same method.
    pub fn answer_to(&self, call: &Message) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if let Some(sequence) = self.body.checked_sub(4).and_then(|start| bytes.get_mut(start..self.body)) {
            sequence.copy_from_slice(&call.sequence.to_be_bytes());
        }
        bytes
    }

    /// The status that a reply consists of.
    pub fn status(&self) -> Result<Status, ThriftError> {
        Status::read(self.result(kind::STRUCT)?)
    }

    /// The status in a reply to `call`, before its rows.
    pub fn status_of_call(&self) -> Result<Status, ThriftError> {
        let status = field(self.result(kind::STRUCT)?, 1, kind::STRUCT)?;
        Status::read(status.ok_or(ThriftError::Malformed("it has no status"))?)
    }

    /// The keys of a reply to `extensions()`: the uuids of those that are registered.
    pub fn uuids(&self) -> Result<Vec<i64>, ThriftError> {
        let mut walker = Walker::over(self.result(kind::MAP)?);
        let ([keys, values], count) = (walker.bytes::<2>()?, walker.length()?);
        if count > 0 && keys != kind::I64 {
            return Err(ThriftError::Malformed("its extensions are not listed by uuid"));
        }
        let mut uuids = Vec::new();
        for _ in 0..count {
            uuids.push(i64::from_be_bytes(walker.bytes()?));
            walker.skip(values, 0)?;
        }
        Ok(uuids)
    }

    /// The value that a reply carries.
    fn result(&self, kind: u8) -> Result<&[u8], ThriftError> {
        match self.kind {
            MessageKind::Reply => {
                field(self.body(), 0, kind)?.ok_or(ThriftError::Malformed("it has no result of the right type"))
            }
            MessageKind::Exception => {
                let words = field(self.body(), 1, kind::STRING)?.map(text).transpose()?;
                Err(ThriftError::Exception(words.unwrap_or_else(|| "an exception without a message".to_owned())))
            }
            MessageKind::Call | MessageKind::Oneway => Err(ThriftError::Malformed("it is a call, not an answer")),
        }
    }
}

/// osquery's `ExtensionStatus`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// 0 for success.
    pub code: i32,
    pub message: String,
    /// The extension's number.
    pub uuid: i64,
}

impl Status {
    /// Reads the raw struct. What is not set counts as 0: osquery reads it so.
    fn read(status: &[u8]) -> Result<Self, ThriftError> {
        Ok(Self {
            code: field(status, 1, kind::I32)?.map_or(Ok([0; 4]), bytes_of).map(i32::from_be_bytes)?,
            message: field(status, 2, kind::STRING)?.map_or(Ok(String::new()), text)?,
            uuid: field(status, 3, kind::I64)?.map_or(Ok([0; 8]), bytes_of).map(i64::from_be_bytes)?,
        })
    }
}
