//! Usual lines that are taken apart by hand are read as serde_json reads them.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;

const LINE: &str = r#"{"timezoneName":"","messageType":"Default","eventType":"logEvent","source":null,"formatString":"%{public}@ \"%s\"","userID":501,"activityIdentifier":0,"subsystem":"com.apple.ManagedClient","category":"HTTPUtil","threadID":27661,"senderImageUUID":"6A1D","backtrace":{"frames":[{"imageOffset":103060,"imageUUID":"6A1D"},{}]},"bootUUID":"0D7C","processImagePath":"\/usr\/libexec\/mdmclient","senderImagePath":"\/usr\/lib\/x","timestamp":"2026-07-26 18:11:22.348728+1200","machTimestamp":20147685217463,"eventMessage":"é:\n\t\"said\" \\","processImageUUID":"6A1D","traceID":41979461356879876,"processID":300,"senderProgramCounter":103060,"parentActivityIdentifier":0}"#;

/// That a line is read as serde_json reads it, if it is read.
fn agrees(line: &str) -> Result<(), TestCaseError> {
    if let Some(record) = usual_record(line) {
        let parsed = serde_json::from_str::<JsonRecord<'_>>(line);
        prop_assert!(parsed.is_ok(), "{line}: {parsed:?}");
        prop_assert_eq!(record, parsed.unwrap(), "{}", line);
    }
    Ok(())
}

#[test]
fn a_usual_line_is_read_whole() {
    let record = usual_record(LINE).unwrap();
    assert_eq!(record, serde_json::from_str(LINE).unwrap());
    assert_eq!(record.event_message, "é:\n\t\"said\" \\");
    assert_eq!(record.process_image_path, "/usr/libexec/mdmclient");
    assert_eq!((&*record.message_type, record.user_id), ("Default", Some(501)));
    assert!(matches!(record.subsystem, Cow::Borrowed("com.apple.ManagedClient")));
}

#[test]
fn a_line_is_read_whatever_the_order_of_its_fields_and_without_some() {
    let line = r#"{"processID":7,"timestamp":"2026","category":"","threadID":0}"#;
    assert_eq!(usual_record(line).unwrap(), serde_json::from_str(line).unwrap());
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
        assert_eq!(usual_record(line), None, "{}", line.get(..40).unwrap_or(line));
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
