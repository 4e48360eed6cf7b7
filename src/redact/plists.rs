//! Property lists without names.

use super::kind::Kind;
use super::labels::is_apples;
use super::names::Names;
use super::text::Replacer;
use crate::property_list;
use plist::{Dictionary, Value};
use std::fmt::Write as _;

/// The keys of a profile whose values are read, and those that say what kind of payload it is. An administrator can put
/// anything under any other, a password too.
const KEPT: [&str; 22] = [
    "AccessRights",
    "CheckInURL",
    "ClientIdentifier",
    "HardwareBound",
    "IdentityCertificateUUID",
    "Name",
    "PayloadIdentifier",
    "PayloadType",
    "PayloadUUID",
    "PayloadVersion",
    "ProfileIdentifier",
    "ProfileInstallDate",
    "ProfileOrganization",
    "ProfileType",
    "ProfileUUID",
    "ProfileVerificationState",
    "ProfileVersion",
    "ServerCapabilities",
    "ServerURL",
    "SignMessage",
    "Subject",
    "Topic",
];

/// How many property lists may be nested as bytes. What lies deeper is dropped.
const NESTED: usize = 8;

/// Adds the values that a property list names by its keys.
pub fn collect(value: &Value, names: &mut Names) {
    under(None, value, names, NESTED);
}

fn under(key: Option<&str>, value: &Value, names: &mut Names, nested: usize) {
    match (key, value) {
        (Some("Subject"), Value::Array(parts)) => {
            if let [Value::String(kind), Value::String(value)] = parts.as_slice() {
                names.add(of_attribute(kind), value);
            }
            parts.iter().for_each(|part| under(key, part, names, nested));
        }
        (_, Value::Array(values)) => values.iter().for_each(|value| under(key, value, names, nested)),
        (_, Value::Dictionary(fields)) => fields.iter().for_each(|(key, value)| under(Some(key), value, names, nested)),
        (Some(key), Value::String(text)) => {
            let named = matches!(key, "ProfileIdentifier" | "PayloadIdentifier" | "Name");
            let kind = Kind::under(key).or(named.then_some(Kind::Name));
            if let Some(kind) = kind.filter(|kind| *kind != Kind::User || !is_apples(text)) {
                names.add(kind, text);
            }
            names.search(text);
        }
        (None, Value::String(text)) => names.search(text),
        (_, Value::Data(bytes)) => match property_list::parse(bytes) {
            Ok(inner) if nested > 0 => under(key, &inner, names, nested - 1),
            _ => names.search(&String::from_utf8_lossy(bytes)),
        },
        _ => {}
    }
}

/// What an attribute of a subject is, by its abbreviation or OID.
pub fn of_attribute(kind: &str) -> Kind {
    match kind {
        "O" | "OU" | "2.5.4.10" | "2.5.4.11" => Kind::Organisation,
        "emailAddress" | "E" | "1.2.840.113549.1.9.1" => Kind::Mail,
        _ => Kind::Name,
    }
}

/// A property list without names, as XML. A strict one keeps only what is read of a profile.
pub fn xml(value: Value, replacer: &Replacer, strict: bool) -> Option<Vec<u8>> {
    let mut xml = Vec::new();
    without(None, value, replacer, strict, NESTED).to_writer_xml(&mut xml).ok()?;
    Some(xml)
}

fn without(key: Option<&str>, value: Value, replacer: &Replacer, strict: bool, nested: usize) -> Value {
    let kept = !strict || key.is_some_and(|key| KEPT.contains(&key));
    match value {
        Value::Array(values) => {
            values.into_iter().map(|value| without(key, value, replacer, strict, nested)).collect::<Vec<_>>().into()
        }
        Value::Dictionary(fields) => {
            let field = |(key, value): (String, Value)| {
                (replacer.value(&key), without(Some(&key), value, replacer, strict, nested))
            };
            Value::Dictionary(fields.into_iter().map(field).collect::<Dictionary>())
        }
        Value::String(text) if kept => replacer.value(&text).into(),
        Value::String(_) => "redacted".into(),
        Value::Data(bytes) if kept => Value::Data(data(&bytes, replacer, nested)),
        Value::Data(_) => Value::Data(Vec::new()),
        Value::Integer(_) | Value::Real(_) if !kept || key.and_then(Kind::under).is_some() => 0.into(),
        other => other,
    }
}

/// What lies in a property list as bytes is often one itself.
fn data(bytes: &[u8], replacer: &Replacer, nested: usize) -> Vec<u8> {
    let mut binary = Vec::new();
    match property_list::parse(bytes) {
        Ok(Value::Dictionary(_) | Value::Array(_)) if nested == 0 => Vec::new(),
        Ok(inner @ (Value::Dictionary(_) | Value::Array(_))) => {
            let written = without(None, inner, replacer, false, nested - 1).to_writer_binary(&mut binary);
            written.map(|()| binary).unwrap_or_default()
        }
        _ => replacer.bytes(bytes),
    }
}

/// A property list without names, in the old style.
pub fn old_style(value: Value, replacer: &Replacer) -> String {
    let mut text = String::new();
    write_old(&without(None, value, replacer, false, NESTED), 0, &mut text);
    text
}

fn write_old(value: &Value, depth: usize, text: &mut String) {
    let indent = "    ".repeat(depth);
    match value {
        Value::Dictionary(fields) => {
            text.push_str("{\n");
            for (key, value) in fields {
                let _ = write!(text, "{indent}    {} = ", quoted(key));
                write_old(value, depth + 1, text);
                text.push_str(";\n");
            }
            let _ = write!(text, "{indent}}}");
        }
        Value::Array(values) => {
            text.push_str("(\n");
            for (at, value) in values.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ",\n" });
                let _ = write!(text, "{indent}    ");
                write_old(value, depth + 1, text);
            }
            let _ = write!(text, "\n{indent})");
        }
        Value::Data(bytes) => {
            let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            let _ = write!(text, "<{hex}>");
        }
        other => text.push_str(&quoted(&property_list::text(other).unwrap_or_default())),
    }
}

/// A text in quotes, unless it is a plain word.
fn quoted(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return text.to_owned();
    }
    let escape = |text: String, letter: char| match letter {
        '"' | '\\' => text + "\\" + letter.encode_utf8(&mut [0; 4]),
        '\n' => text + "\\n",
        _ if letter.is_ascii() => text + letter.encode_utf8(&mut [0; 4]),
        _ => letter.encode_utf16(&mut [0; 2]).iter().fold(text, |text, unit| format!("{text}\\U{unit:04x}")),
    };
    format!("\"{}\"", text.chars().fold(String::new(), escape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_lie_in_one_another_as_bytes_are_followed_only_so_far() {
        let replacer = |value: &Value| {
            let mut names = Names::default();
            collect(value, &mut names);
            Replacer::new(names, Vec::new()).unwrap()
        };
        let mut value = Value::String("mail of grace@acme.test".to_owned());
        for depth in 0..3000 {
            if depth == NESTED {
                let xml = xml(value.clone(), &replacer(&value), false).unwrap();
                let mut inner = Value::from_reader_xml(&xml[..]).unwrap();
                while let Value::Data(bytes) = &inner {
                    inner = property_list::parse(bytes).unwrap().into_array().unwrap().remove(0);
                }
                assert_eq!(inner, Value::String("mail of mail1@mail.invalid".to_owned()));
            }
            let mut bytes = Vec::new();
            Value::Array(vec![value]).to_writer_binary(&mut bytes).unwrap();
            value = Value::Data(bytes);
        }
        assert!(xml(value.clone(), &replacer(&value), false).is_some());
    }
}
