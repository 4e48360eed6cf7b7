//! Old-style property lists of any shape: a printed one is read back, and anything else is an error.

use mdm_health::property_list::old_style::{dictionary_after, parse};
use plist::Value;
use proptest::prelude::*;

/// Values as mdmclient prints them.
fn printed(value: &Value, indent: usize) -> String {
    let blanks = " ".repeat(indent);
    match value {
        Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            text.clone()
        }
        Value::String(text) => {
            let escaped: String = (text.encode_utf16())
                .map(|unit| match u8::try_from(unit) {
                    Ok(sign @ (b'"' | b'\\')) => format!("\\{}", char::from(sign)),
                    Ok(b'\n') => "\\n".to_owned(),
                    Ok(sign) if sign.is_ascii() => char::from(sign).to_string(),
                    _ => format!("\\U{unit:04x}"),
                })
                .collect();
            format!("\"{escaped}\"")
        }
        Value::Data(bytes) => format!("<{}>", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        Value::Array(values) => {
            let items: Vec<String> =
                (values.iter()).map(|value| format!("{blanks}    {}", printed(value, indent + 4))).collect();
            format!("(\n{}\n{blanks})", items.join(",\n"))
        }
        Value::Dictionary(values) => {
            let items: String = (values.iter())
                .map(|(key, value)| {
                    let key = printed(&Value::from(key.as_str()), 0);
                    format!("{blanks}    {key} =     {};\n", printed(value, indent + 4))
                })
                .collect();
            format!("{{\n{items}{blanks}}}")
        }
        other => panic!("{other:?} has no old-style form"),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "[a-zA-Z0-9]{0,8}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(Value::Data),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|entries| Value::Dictionary(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_list_is_read_back(value in any_value()) {
        let text = printed(&value, 0);
        prop_assert_eq!(parse(&text), Ok(value), "{}", text);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}", marks in "[{}()<>=;,\"\\\\U0-9a-f \n]{0,80}") {
        let _ = (parse(&text), parse(&marks), dictionary_after(&format!("Head: {marks}"), "Head"));
        let _ = (dictionary_after(&text, &marks), parse(&format!("{{length = {marks}")));
    }

    #[test]
    fn a_truncated_dictionary_is_an_error(value in any_value(), cut in any::<prop::sample::Index>()) {
        let whole = format!("{{ A = {}; }}", printed(&value, 0));
        let cut: String = whole.chars().take(cut.index(whole.chars().count())).collect();
        prop_assert!(parse(&cut).is_err(), "{}", cut);
    }
}
