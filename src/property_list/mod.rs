//! Property lists as a Mac keeps them, in whichever form, and the values that Apple writes in more than one way.

mod binary;
pub mod old_style;
pub mod xml;

use crate::vocabulary::Time;
use chrono::{DateTime, Utc};
use plist::{Dictionary, Value};
use std::io::Cursor;

/// The longest text of a fact, in bytes; a longer one is left out.
const MAX_TEXT: usize = 4096;

/// Reads a property list: binary or XML as a Mac keeps them, or as `defaults read` and `plutil -convert json` print
/// them. The error is the rest of a sentence.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    if bytes.starts_with(b"bplist") {
        binary::check(bytes).map_err(|error| error.to_string())?;
        return Value::from_reader(Cursor::new(bytes)).map_err(|error| error.to_string());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is neither binary nor UTF-8 text".to_owned())?;
    if text.contains("<plist") {
        return xml::read(text).map_err(|error| error.to_string());
    }
    old_style::parse(text).or_else(|error| serde_json::from_str(text).map_err(|_| error.to_string()))
}

/// The dictionary under a key.
pub fn dictionary<'d>(of: &'d Dictionary, key: &str) -> Option<&'d Dictionary> {
    of.get(key)?.as_dictionary()
}

/// The list under a key.
pub fn list<'d>(of: &'d Dictionary, key: &str) -> Option<&'d [Value]> {
    of.get(key)?.as_array().map(Vec::as_slice)
}

/// A text, or a number as one: Apple writes the version 27 as a number.
pub fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty() && text.len() <= MAX_TEXT)
}

/// A number, or a text that is one, or a boolean as 1 and 0.
pub fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => number.as_signed(),
        Value::Boolean(flag) => Some(i64::from(*flag)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A boolean, written as such or as 1 and 0.
pub fn flag(value: &Value) -> Option<bool> {
    match number(value)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// A moment: a date, or a text with its offset, `2020-10-10 06:15:40 +0000` or `2026-09-01T13:06:48-03:00`.
pub fn moment(value: &Value) -> Option<Time> {
    match value {
        Value::Date(date) => {
            let since_1970 = std::time::SystemTime::from(*date).duration_since(std::time::UNIX_EPOCH).ok()?;
            DateTime::<Utc>::from_timestamp(i64::try_from(since_1970.as_secs()).ok()?, 0)
        }
        Value::String(text) => moment_in_text(text),
        _ => None,
    }
}

/// A moment in a text that carries its offset.
pub fn moment_in_text(text: &str) -> Option<Time> {
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z"))
        .ok()
        .map(|at| at.to_utc())
}

/// A value under a key, read in one of the ways above.
pub fn get<T>(of: &Dictionary, key: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
    of.get(key).and_then(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(bytes: &[u8]) -> Dictionary {
        parse(bytes).unwrap().into_dictionary().unwrap()
    }

    #[test]
    fn every_form_gives_the_same_values() {
        let old =
            b"{\n    Count = 3;\n    Flag = 1;\n    When = \"2020-10-10 06:15:40 +0000\";\n    Version = \"27\";\n}";
        let json = b"{\"Count\": 3, \"Flag\": true, \"When\": \"2020-10-10T06:15:40Z\", \"Version\": 27}";
        let xml = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict><key>Count</key><integer>3</integer>\
            <key>Flag</key><true/><key>When</key><date>2020-10-10T06:15:40Z</date><key>Version</key><real>27</real></dict></plist>";
        let mut binary = Vec::new();
        parse(xml).unwrap().to_writer_binary(&mut binary).unwrap();
        for form in [old.as_slice(), json, xml, &binary] {
            let values = known(form);
            assert_eq!(get(&values, "Count", number), Some(3));
            assert_eq!(get(&values, "Flag", flag), Some(true));
            assert_eq!(get(&values, "When", moment).unwrap().timestamp(), 1_602_310_540);
            assert_eq!(get(&values, "Version", text).as_deref(), Some("27"));
        }
    }

    #[test]
    fn what_is_no_property_list_says_why() {
        for bytes in [b"".as_slice(), b"hello there", b"\xff\xfe", b"bplist00", b"{ a = ", b"<plist><dict>"] {
            let why = parse(bytes).unwrap_err();
            assert!(!why.is_empty(), "{bytes:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..120), text in "[{}();=a-z<>/ \"]{0,60}") {
            let _ = (parse(&bytes), parse(text.as_bytes()));
        }
    }
}
