//! A record of ndjson taken apart by hand, where the line is as `log show` writes it: fields that are known, no blanks
//! between them, and the values that are read of the kind that they always are. That takes about half the time that
//! serde_json takes.
//!
//! A line that is not like that is left to serde_json. What is read here is read as serde_json reads it.

use super::ndjson::JsonRecord;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// Reads a field at the start of a text and gives what follows it; `None` if it is another field, or not plain.
type Read = for<'l> fn(&'l str, &mut JsonRecord<'l>) -> Option<&'l str>;

/// The fields of a record of macOS 26, in their order.
const FIELDS: [Read; 23] = [
    |rest, _| past(rest.strip_prefix("\"timezoneName\":")?, DEPTH),
    |rest, record| text(rest.strip_prefix("\"messageType\":")?, &mut record.message_type),
    |rest, record| text(rest.strip_prefix("\"eventType\":")?, &mut record.event_type),
    |rest, _| past(rest.strip_prefix("\"source\":")?, DEPTH),
    |rest, _| past(rest.strip_prefix("\"formatString\":")?, DEPTH),
    |rest, record| number(rest.strip_prefix("\"userID\":")?, record.user_id.insert(0)),
    |rest, _| past(rest.strip_prefix("\"activityIdentifier\":")?, DEPTH),
    |rest, record| text(rest.strip_prefix("\"subsystem\":")?, &mut record.subsystem),
    |rest, record| text(rest.strip_prefix("\"category\":")?, &mut record.category),
    |rest, record| number(rest.strip_prefix("\"threadID\":")?, &mut record.thread_id),
    |rest, _| past(rest.strip_prefix("\"senderImageUUID\":")?, DEPTH),
    |rest, _| past(rest.strip_prefix("\"backtrace\":")?, DEPTH),
    |rest, record| text(rest.strip_prefix("\"bootUUID\":")?, &mut record.boot_uuid),
    |rest, record| text(rest.strip_prefix("\"processImagePath\":")?, &mut record.process_image_path),
    |rest, _| past(rest.strip_prefix("\"senderImagePath\":")?, DEPTH),
    |rest, record| text(rest.strip_prefix("\"timestamp\":")?, &mut record.timestamp),
    |rest, record| number(rest.strip_prefix("\"machTimestamp\":")?, &mut record.mach_timestamp),
    |rest, record| text(rest.strip_prefix("\"eventMessage\":")?, &mut record.event_message),
    |rest, _| past(rest.strip_prefix("\"processImageUUID\":")?, DEPTH),
    |rest, _| past(rest.strip_prefix("\"traceID\":")?, DEPTH),
    |rest, record| number(rest.strip_prefix("\"processID\":")?, &mut record.process_id),
    |rest, _| past(rest.strip_prefix("\"senderProgramCounter\":")?, DEPTH),
    |rest, _| past(rest.strip_prefix("\"parentActivityIdentifier\":")?, DEPTH),
];

/// How deep the values within a field may lie: those of `backtrace` lie two deep.
const DEPTH: usize = 4;

/// The record in a line; `None` if serde_json must say whether there is one.
pub fn record(line: &str) -> Option<JsonRecord<'_>> {
    let mut rest = line.strip_prefix('{')?;
    let mut record = JsonRecord::default();
    let (mut expected, mut seen) = (0, 0u32);
    loop {
        let found = |index: usize| Some((index, FIELDS.get(index)?(rest, &mut record)?));
        let (index, behind) = (expected..FIELDS.len()).chain(0..expected).find_map(found)?;
        // serde_json says what comes of a field that is there twice.
        if seen & 1 << index != 0 {
            return None;
        }
        seen |= 1 << index;
        expected = index + 1;
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None => return (behind == "}").then_some(record),
        }
    }
}

fn text<'l>(value: &'l str, field: &mut Cow<'l, str>) -> Option<&'l str> {
    let mut before = String::new();
    let (last, rest) = quoted(value, |part, letter| {
        if before.is_empty() {
            before.reserve(128);
        }
        before.push_str(part);
        before.push(letter);
    })?;
    *field = if before.is_empty() { Cow::Borrowed(last) } else { Cow::Owned(before + last) };
    Some(rest)
}

/// A text within its quotes, and what follows them. `on_escape` gets what stands before each escaped letter, and the
/// letter; what is returned of the text is what stands behind the last of them.
fn quoted<'l>(value: &'l str, mut on_escape: impl FnMut(&'l str, char)) -> Option<(&'l str, &'l str)> {
    let mut rest = value.strip_prefix('"')?;
    loop {
        let end = special(rest.as_bytes())?;
        let (part, behind) = (rest.get(..end)?, rest.get(end..)?);
        if let Some(behind) = behind.strip_prefix('"') {
            return Some((part, behind));
        }
        let escaped = behind.strip_prefix('\\')?;
        on_escape(
            part,
            match escaped.as_bytes().first()? {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                letter @ (b'"' | b'\\' | b'/') => char::from(*letter),
                // A letter written by its number is left to serde_json.
                _ => return None,
            },
        );
        rest = escaped.get(1..)?;
    }
}

/// Where the first quote, backslash or control character is. Eight bytes are looked at at once, which for texts of a few
/// words is faster than any search that has to be called.
fn special(text: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    // The lowest byte of those that are marked is below the limit, and so are none before it.
    let below = |word: u64, limit: u8| word.wrapping_sub(EACH * u64::from(limit)) & !word & (EACH << 7);
    let is = |word: u64, byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    let (words, rest) = text.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = is(word, b'"') | is(word, b'\\') | below(word, b' ');
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
    Some(words.len() * 8 + at)
}

fn number<'l, N: TryFrom<u64>>(value: &'l str, field: &mut N) -> Option<&'l str> {
    let (number, rest) = digits(value)?;
    *field = number.parse::<u64>().ok()?.try_into().ok()?;
    Some(rest)
}

/// What follows a value that nobody wants.
fn past(value: &str, depth: usize) -> Option<&str> {
    match value.as_bytes().first()? {
        b'"' => quoted(value, |_, _| {}).map(|(_, rest)| rest),
        b'0'..=b'9' => digits(value).map(|(_, rest)| rest),
        b'{' if depth > 0 => past_all(value.get(1..)?, '}', depth - 1),
        b'[' if depth > 0 => past_all(value.get(1..)?, ']', depth - 1),
        _ => {
            let mut values = serde_json::Deserializer::from_str(value).into_iter::<IgnoredAny>();
            values.next()?.ok()?;
            value.get(values.byte_offset()..)
        }
    }
}

/// What follows the values of an object or a list.
fn past_all(mut rest: &str, close: char, depth: usize) -> Option<&str> {
    if let Some(behind) = rest.strip_prefix(close) {
        return Some(behind);
    }
    loop {
        if close == '}' {
            rest = quoted(rest, |_, _| {})?.1.strip_prefix(':')?;
        }
        rest = past(rest, depth)?;
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return rest.strip_prefix(close),
        }
    }
}

/// A whole number and what follows it. Zeros before it are no JSON.
fn digits(value: &str) -> Option<(&str, &str)> {
    let length = value.bytes().position(|byte| !byte.is_ascii_digit())?;
    value.split_at_checked(length).filter(|(number, _)| *number == "0" || !number.starts_with('0') && length > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    const LINE: &str = r#"{"timezoneName":"","messageType":"Default","eventType":"logEvent","source":null,"formatString":"%{public}@ \"%s\"","userID":501,"activityIdentifier":0,"subsystem":"com.apple.ManagedClient","category":"HTTPUtil","threadID":27661,"senderImageUUID":"6A1D","backtrace":{"frames":[{"imageOffset":103060,"imageUUID":"6A1D"},{}]},"bootUUID":"0D7C","processImagePath":"\/usr\/libexec\/mdmclient","senderImagePath":"\/usr\/lib\/x","timestamp":"2026-07-26 18:11:22.348728+1200","machTimestamp":20147685217463,"eventMessage":"é:\n\t\"said\" \\","processImageUUID":"6A1D","traceID":41979461356879876,"processID":300,"senderProgramCounter":103060,"parentActivityIdentifier":0}"#;

    /// That a line is read as serde_json reads it, if it is read.
    fn agrees(line: &str) -> Result<(), TestCaseError> {
        if let Some(record) = record(line) {
            let parsed = serde_json::from_str::<JsonRecord<'_>>(line);
            prop_assert!(parsed.is_ok(), "{line}: {parsed:?}");
            prop_assert_eq!(record, parsed.unwrap(), "{}", line);
        }
        Ok(())
    }

    #[test]
    fn a_usual_line_is_read_whole() {
        let record = record(LINE).unwrap();
        assert_eq!(record, serde_json::from_str(LINE).unwrap());
        assert_eq!(record.event_message, "é:\n\t\"said\" \\");
        assert_eq!(record.process_image_path, "/usr/libexec/mdmclient");
        assert_eq!((&*record.message_type, record.user_id), ("Default", Some(501)));
        assert!(matches!(record.subsystem, Cow::Borrowed("com.apple.ManagedClient")));
    }

    #[test]
    fn a_line_is_read_whatever_the_order_of_its_fields_and_without_some() {
        let line = r#"{"processID":7,"timestamp":"2026","category":"","threadID":0}"#;
        assert_eq!(record(line).unwrap(), serde_json::from_str(line).unwrap());
    }

    #[test]
    fn what_serde_json_refuses_is_not_read() {
        let deep = format!(r#"{{"source":{}"#, "[".repeat(1 << 19));
        for line in [
            r#"{"processID":7,"processID":7}"#,
            r#"{"processID":4294967296}"#,
            r#"{"processID":07}"#,
            r#"{"processID":null}"#,
            r#"{"category":7}"#,
            r#"{"category":"a"} "#,
            "{\"category\":\"a\tb\"}",
            "{}",
            "{",
            "",
            &deep,
        ] {
            assert_eq!(record(line), None, "{}", line.get(..40).unwrap_or(line));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_cut_or_changed_line_is_read_as_serde_json_reads_it(
            from in 0..LINE.len(), length in 0usize..40, put in "[\\PC\u{0}-\u{1f}]{0,3}|[\"\\\\{}\\[\\],:0-9a-z. ]{0,6}", end in any::<bool>(),
        ) {
            let (before, behind) = (LINE.get(..from).unwrap_or(LINE), LINE.get(from + length..).unwrap_or_default());
            agrees(&format!("{before}{put}{}", if end { "" } else { behind }))?;
        }

        #[test]
        fn any_fields_in_any_order_are_read_as_serde_json_reads_them(
            fields in prop::collection::vec((
                select(vec![
                    "timestamp", "eventType", "processImagePath", "subsystem", "category", "eventMessage", "bootUUID",
                    "processID", "threadID", "machTimestamp", "userID", "messageType", "backtrace", "source", "traceID", "other", "cate\\u0067ory",
                ]),
                prop_oneof![
                    select(vec![
                        "null", "0", "7", "-7", "00", "1.5", "1e9", "18446744073709551615", "18446744073709551616", "true",
                        "{}", "[]", "[1,[2,[3,[4,[5,[6]]]]]]", r#"{"a":[{"b":null}],"a":"\u00e9"}"#, "{\"a\"}", "[1,]", "",
                        r#""\ud800""#, r#""\x""#, r#""\/\\\"\b\f\n\r\t""#, " \"a\"", "\"a\" ",
                    ]).prop_map(str::to_owned),
                    "\"[\\PC&&[^\"\\\\]]{0,40}\"",
                    "\"([a-z]{0,9}|\\\\[\"\\\\/bfnrtux0-9]){0,9}\"",
                ],
            ), 0..6),
        ) {
            let fields: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            agrees(&format!("{{{}}}", fields.join(",")))?;
        }
    }
}
