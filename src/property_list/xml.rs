//! Property lists in XML, read with a limit to their depth, which the `plist` crate does not set: a value nested a
//! hundred thousand levels deep overflows the stack when it is dropped.

use serde::de::DeserializeOwned;
use thiserror::Error;

/// How deep lists and dictionaries may lie in each other.
const MAX_DEPTH: usize = 64;

/// What stands between `<` and `>` in a property list, beside `array` and `dict`, which nest.
const TAGS: [&str; 23] = [
    "key", "/key", "key/", "string", "/string", "string/", "integer", "/integer", "real", "/real", "date", "/date",
    "data", "/data", "data/", "true/", "false/", "true", "/true", "false", "/false", "array/", "dict/",
];

/// Why a text is no property list in XML.
#[derive(Debug, Error)]
pub enum XmlPlistError {
    /// There is no `<plist>` in it.
    #[error("no <plist> begins in it")]
    NoPlist,
    /// Apple's tools write neither comments nor attributes nor other elements.
    #[error("it holds <{tag}>, which no property list does")]
    ForeignTag {
        /// What stands between `<` and `>`, shortened.
        tag: String,
    },
    /// Too many levels.
    #[error("its lists and dictionaries are nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// The `plist` crate's own words.
    #[error("{0}")]
    Unreadable(#[from] plist::Error),
}

/// Reads a property list as `profiles -o stdout-xml` prints it.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, XmlPlistError> {
    check(text)?;
    Ok(plist::from_reader_xml(text.trim_start().as_bytes())?)
}

/// Checks that lists and dictionaries nest within the limit. Every tag must be one that is known as it stands, so that
/// none can hide behind a comment or within an attribute.
fn check(text: &str) -> Result<(), XmlPlistError> {
    let mut tags = text.split('<').skip(1).map(|piece| piece.split('>').next().unwrap_or(piece));
    let foreign = |tag: &str| XmlPlistError::ForeignTag { tag: tag.chars().take(40).collect() };
    loop {
        match tags.next() {
            None => return Err(XmlPlistError::NoPlist),
            Some("plist") | Some(r#"plist version="1.0""#) => break,
            Some(tag) if tag.starts_with("?xml ") || tag.starts_with("!DOCTYPE plist") => {}
            Some(tag) => return Err(foreign(tag)),
        }
    }
    let mut depth = 0usize;
    for tag in tags {
        match tag {
            "array" | "dict" if depth == MAX_DEPTH => return Err(XmlPlistError::TooDeep),
            "array" | "dict" => depth += 1,
            "/array" | "/dict" => depth = depth.checked_sub(1).ok_or_else(|| foreign(tag))?,
            "/plist" if depth == 0 => {}
            tag if TAGS.contains(&tag) => {}
            tag => return Err(foreign(tag)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use plist::Value;
    use proptest::prelude::*;

    fn sentence(text: &str) -> String {
        read::<Value>(text).unwrap_err().to_string()
    }

    fn nested(levels: usize) -> String {
        format!("<plist version=\"1.0\">{}{}</plist>", "<array>".repeat(levels), "</array>".repeat(levels))
    }

    #[test]
    fn a_list_as_apple_prints_it() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
                    \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n\t<key>a &lt;b&gt;\
                    </key>\n\t<array>\n\t\t<true/>\n\t\t<integer>7</integer>\n\t</array>\n</dict>\n</plist>";
        let value: Value = read(text).unwrap();
        let list = value.as_dictionary().and_then(|dictionary| dictionary.get("a <b>")).unwrap();
        assert_eq!(list, &Value::Array(vec![true.into(), 7.into()]));
    }

    #[test]
    fn depth_is_bounded_whatever_hides_it() {
        assert!(read::<Value>(&nested(MAX_DEPTH)).is_ok());
        assert!(matches!(check(&nested(MAX_DEPTH + 1)), Err(XmlPlistError::TooDeep)));
        assert!(matches!(check(&nested(500_000)), Err(XmlPlistError::TooDeep)));
        for hiding in ["<!-- </array> -->", "<![CDATA[</array>]]>", "<string a=\"></array>\">", "<?x </array> ?>"] {
            let text = format!("<plist>{}</plist>", format!("<array>{hiding}").repeat(100));
            assert!(matches!(check(&text), Err(XmlPlistError::ForeignTag { .. })), "{hiding}");
        }
    }

    #[test]
    fn what_is_no_property_list_is_named() {
        assert_eq!(sentence("There are no profiles.\n"), "no <plist> begins in it");
        assert_eq!(sentence("<html><body></html>"), "it holds <html>, which no property list does");
        assert!(read::<Value>("<plist version=\"1.0\"><dict><key>a</key>").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}", tags in "(</?(plist|dict|array|key|true|!--|x)/?>?|a){0,40}") {
            let _ = (read::<Value>(&text), read::<Value>(&tags), read::<Value>(&format!("<plist>{tags}")));
        }
    }
}
