//! Messages as they go on the wire.

use super::{Message, MessageKind, VERSION, kind};

/// Thrift's code for a call of a method that is not there.
const UNKNOWN_METHOD: i32 = 1;

/// Writes a message.
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// Begins a message; its arguments or result follow, and a [`stop`](Self::stop).
    pub fn message(kind: MessageKind, name: &str, sequence: i32) -> Self {
        let word = VERSION | kind as u32;
        Self(word.to_be_bytes().to_vec()).put_text(name).put(&sequence.to_be_bytes())
    }

    /// A field that is a text.
    pub fn text(self, id: i16, text: &str) -> Self {
        self.field(id, kind::STRING).put_text(text)
    }

    /// A field that is a 32-bit number.
    pub fn i32(self, id: i16, number: i32) -> Self {
        self.field(id, kind::I32).put(&number.to_be_bytes())
    }

    /// A field that is a 64-bit number.
    pub fn i64(self, id: i16, number: i64) -> Self {
        self.field(id, kind::I64).put(&number.to_be_bytes())
    }

    /// A field that is a map, given raw.
    pub fn map(self, id: i16, raw: &[u8]) -> Self {
        self.field(id, kind::MAP).put(raw)
    }

    /// A field that is a map of one text.
    pub fn entry(self, id: i16, key: &str, text: &str) -> Self {
        self.field(id, kind::MAP).put(&[kind::STRING, kind::STRING, 0, 0, 0, 1]).put_text(key).put_text(text)
    }

    /// A field that is an empty list of maps.
    pub fn no_rows(self, id: i16) -> Self {
        self.field(id, kind::LIST).put(&[kind::MAP, 0, 0, 0, 0])
    }

    /// Begins a field that is a struct; its own fields follow, and a [`stop`](Self::stop).
    pub fn open(self, id: i16) -> Self {
        self.field(id, kind::STRUCT)
    }

    /// Ends a struct.
    pub fn stop(self) -> Self {
        self.put(&[kind::STOP])
    }

    /// The message as it goes on the wire.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }

    fn field(self, id: i16, kind: u8) -> Self {
        self.put(&[kind]).put(&id.to_be_bytes())
    }

    fn put_text(self, text: &str) -> Self {
        // What this program says is short.
        let length = i32::try_from(text.len()).unwrap_or(i32::MAX);
        self.put(&length.to_be_bytes()).put(text.as_bytes())
    }

    fn put(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// The answer to `call` that is a status only. osquery shows a failure's words as the SQL error.
pub fn call_failed(call: &Message, words: &str) -> Vec<u8> {
    let reply = Encoder::message(MessageKind::Reply, &call.name, call.sequence).open(0);
    reply.open(1).i32(1, 1).text(2, words).stop().no_rows(2).stop().stop().bytes()
}

/// The answer to a call of a method that is not there.
pub fn unknown_method(call: &Message) -> Vec<u8> {
    let words = format!("mdm_health has no method {}", call.name);
    Encoder::message(MessageKind::Exception, &call.name, call.sequence)
        .text(1, &words)
        .i32(2, UNKNOWN_METHOD)
        .stop()
        .bytes()
}

/// The answer that is a status of success and a uuid.
pub fn success(call: &Message, uuid: i64) -> Vec<u8> {
    let reply = Encoder::message(MessageKind::Reply, &call.name, call.sequence).open(0);
    reply.i32(1, 0).text(2, "OK").i64(3, uuid).stop().stop().bytes()
}

/// The answer to a method that returns nothing.
pub fn done(call: &Message) -> Vec<u8> {
    Encoder::message(MessageKind::Reply, &call.name, call.sequence).stop().bytes()
}
