//! Property lists in XML, read with a limit to their depth, which the `plist` crate does not set: a value nested a
//! hundred thousand levels deep overflows the stack when it is dropped.

use serde::de::DeserializeOwned;
use std::collections::HashSet;
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
    /// Whichever of two values counts, the other one may have been meant.
    #[error("it has the key {key} twice in one dictionary")]
    Twice {
        /// The key, shortened.
        key: String,
    },
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
    let mut tags = text.split('<').skip(1).map(|piece| piece.split_once('>').unwrap_or((piece, "")));
    let shortened = |text: &str| text.chars().take(40).collect();
    let foreign = |tag: &str| XmlPlistError::ForeignTag { tag: shortened(tag) };
    loop {
        match tags.next().map(|(tag, _)| tag) {
            None => return Err(XmlPlistError::NoPlist),
            Some("plist") | Some(r#"plist version="1.0""#) => break,
            Some(tag) if tag.starts_with("?xml ") || tag.starts_with("!DOCTYPE plist") => {}
            Some(tag) => return Err(foreign(tag)),
        }
    }
    // The keys of each list and dictionary that is open.
    let mut open: Vec<HashSet<&str>> = Vec::new();
    for (tag, behind) in tags {
        match tag {
            "array" | "dict" if open.len() == MAX_DEPTH => return Err(XmlPlistError::TooDeep),
            "array" | "dict" => open.push(HashSet::new()),
            "/array" | "/dict" => drop(open.pop().ok_or_else(|| foreign(tag))?),
            "key" if open.last_mut().is_some_and(|keys| !keys.insert(behind)) => {
                return Err(XmlPlistError::Twice { key: shortened(behind) });
            }
            "/plist" if open.is_empty() => {}
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
    fn a_key_that_stands_twice_in_one_dictionary_is_an_error() {
        let plist = |inner: &str| format!("<plist version=\"1.0\"><dict>{inner}</dict></plist>");
        let twice = plist("<key>Enabled</key><false/><key>Enabled</key><true/>");
        assert_eq!(sentence(&twice), "it has the key Enabled twice in one dictionary");
        let around = plist("<key>a</key><dict><key>b</key><true/></dict><key>c</key><true/><key>a</key><true/>");
        assert_eq!(sentence(&around), "it has the key a twice in one dictionary");
        let apart =
            plist("<key>a</key><array><dict><key>a</key><true/></dict><dict><key>a</key><true/></dict></array>");
        assert!(read::<Value>(&apart).is_ok());
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
