//! Old-style property lists, as mdmclient prints them and logs them, read into [`plist::Value`].
//!
//! The form has text and data only: numbers and booleans come out as text. Shapes seen in mdmclient's output on
//! macOS 10.14 to 15, indented by blanks or by tabs:
//!
//! ```text
//! Daemon response: {
//!     IsSupervised = 1;
//!     OSVersion = "13.3.1";
//!     Languages =     (
//!         en,
//!         "pt_BR"
//!     );
//!     PushToken = <99999999 99999999>;
//!     Certificate = {length = 1402, bytes = 0x30820576 3082045e a0030201 02020809 ... afb8b2d1 abcdabcd };
//! }
//! Agent response: (null)
//! ```

use plist::{Dictionary, Value};
use thiserror::Error;

/// The longest text that is read, in bytes.
pub const MAX_INPUT: usize = 4 << 20;

/// How deep lists and dictionaries may lie in each other.
pub const MAX_DEPTH: usize = 64;

/// How many values are read.
pub const MAX_VALUES: usize = 100_000;

/// How `description` prints an object that is not there.
const NULL: &str = "(null)";

/// Why a text is not an old-style property list. Lines are counted from 1.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OldPlistError {
    /// The text is longer than what is read.
    #[error("the property list has {length} bytes, more than the {MAX_INPUT} that are read")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Too many levels.
    #[error("line {line}: lists and dictionaries are nested more than {MAX_DEPTH} levels deep")]
    TooDeep {
        /// Where.
        line: usize,
    },
    /// Too many values.
    #[error("line {line}: the property list holds more than {MAX_VALUES} values")]
    TooMany {
        /// Where.
        line: usize,
    },
    /// Something else was expected.
    #[error("line {line}: {expected} was expected, but {found} was found")]
    Expected {
        /// Where.
        line: usize,
        /// What should have been there.
        expected: &'static str,
        /// What is there, shortened.
        found: String,
    },
    /// There is no such head line.
    #[error("no line begins with `{head}:`")]
    NoHead {
        /// What the line should begin with.
        head: String,
    },
}

/// Reads a text that is one value and nothing else. `(null)` and shortened data (`{length = 1402, bytes = 0x… }`)
/// come out as their own text.
pub fn parse(text: &str) -> Result<Value, OldPlistError> {
    let mut parser = Parser::new(text, 0)?;
    let value = parser.value(0)?;
    parser.skip_blanks();
    if parser.rest().is_empty() { Ok(value) } else { Err(parser.expected("the end of the text")) }
}

/// Reads the dictionary behind the first line that begins with `head` and a colon, such as `Management status: {`.
/// Lines before it, such as `=== CPF_GetInstalledProfiles === (<Device>)`, and whatever follows the dictionary are
/// passed over. Anything else behind the head, such as `(null)`, is an error.
pub fn dictionary_after(text: &str, head: &str) -> Result<Dictionary, OldPlistError> {
    let head = head.trim_end_matches([' ', ':']);
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        if line.strip_prefix(head).is_some_and(|rest| rest.starts_with(':')) {
            let mut parser = Parser::new(text, line_start + head.len() + 1)?;
            parser.skip_blanks();
            let before = parser.at;
            if let Value::Dictionary(dictionary) = parser.value(0)? {
                return Ok(dictionary);
            }
            parser.at = before;
            return Err(parser.expected("a dictionary"));
        }
        line_start += line.len();
    }
    Err(OldPlistError::NoHead { head: head.to_owned() })
}

/// Reads the dictionary with which a text begins; whatever follows it is passed over.
pub fn dictionary_at_start(text: &str) -> Result<Dictionary, OldPlistError> {
    let mut parser = Parser::new(text, 0)?;
    match parser.value(0)? {
        Value::Dictionary(dictionary) => Ok(dictionary),
        _ => Err(Parser::new(text, 0)?.expected("a dictionary")),
    }
}

/// Reads from `at` on, which is always a character's first byte.
struct Parser<'t> {
    text: &'t str,
    at: usize,
    values: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, at: usize) -> Result<Self, OldPlistError> {
        match text.len() {
            length if length > MAX_INPUT => Err(OldPlistError::TooLong { length }),
            _ => Ok(Self { text, at, values: 0 }),
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Steps over as many characters as `belongs` holds for, and gives them.
    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let (taken, _) = rest.split_at(rest.find(|c| !belongs(c)).unwrap_or(rest.len()));
        self.at += taken.len();
        taken
    }

    fn skip_blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// Steps over `mark` if it stands here.
    fn accept(&mut self, mark: &str) -> bool {
        let stands = self.rest().starts_with(mark);
        self.at += if stands { mark.len() } else { 0 };
        stands
    }

    fn expect(&mut self, mark: &str, expected: &'static str) -> Result<(), OldPlistError> {
        self.skip_blanks();
        if self.accept(mark) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn expected(&self, expected: &'static str) -> OldPlistError {
        let shown: String = self.rest().chars().take_while(|c| *c != '\n').take(20).collect();
        let found = match self.rest().chars().next() {
            None => "the end of the text".to_owned(),
            Some('\n') => "the end of the line".to_owned(),
            Some(_) => format!("{shown:?}"),
        };
        OldPlistError::Expected { line: self.line(), expected, found }
    }

    fn line(&self) -> usize {
        1 + self.text.bytes().take(self.at).filter(|byte| *byte == b'\n').count()
    }

    fn value(&mut self, depth: usize) -> Result<Value, OldPlistError> {
        self.skip_blanks();
        if depth > MAX_DEPTH {
            return Err(OldPlistError::TooDeep { line: self.line() });
        }
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(OldPlistError::TooMany { line: self.line() });
        }
        if self.accept(NULL) {
            return Ok(Value::String(NULL.to_owned()));
        }
        if let Some(data) = self.described_data() {
            return Ok(data);
        }
        match self.rest().chars().next() {
            Some('{') => self.dictionary(depth),
            Some('(') => self.array(depth),
            Some('<') => self.data(),
            _ => self.text("a value").map(Value::String),
        }
    }

    /// `{ key = value; "other key" = value; }`
    fn dictionary(&mut self, depth: usize) -> Result<Value, OldPlistError> {
        let mut dictionary = Dictionary::new();
        self.expect("{", "`{`")?;
        loop {
            self.skip_blanks();
            if self.accept("}") {
                return Ok(Value::Dictionary(dictionary));
            }
            let key = self.text("a key or `}`")?;
            self.expect("=", "`=` behind a key")?;
            let value = self.value(depth + 1)?;
            self.expect(";", "`;` behind a value")?;
            dictionary.insert(key, value);
        }
    }

    /// `( value, value )`
    fn array(&mut self, depth: usize) -> Result<Value, OldPlistError> {
        let mut array = Vec::new();
        self.expect("(", "`(`")?;
        loop {
            self.skip_blanks();
            if self.accept(")") {
                return Ok(Value::Array(array));
            }
            array.push(self.value(depth + 1)?);
            self.skip_blanks();
            if !self.accept(",") && !self.rest().starts_with(')') {
                return Err(self.expected("`,` or `)` behind a value"));
            }
        }
    }

    /// `<30820576 3082045e 2b97>` (macOS 10.14).
    fn data(&mut self) -> Result<Value, OldPlistError> {
        self.expect("<", "`<`")?;
        let bytes = hex_bytes(self.take_while(|c| c.is_ascii_hexdigit() || c.is_whitespace()));
        match bytes {
            Some(bytes) if self.accept(">") => Ok(Value::Data(bytes)),
            _ => Err(self.expected("pairs of hexadecimal digits and `>`")),
        }
    }

    /// `{length = 4, bytes = 0x0a0b0c0d}`, and shortened where it is long:
    /// `{length = 32, bytes = 0x068b4535 172f7bd3 851facee c98e0d88 ... 38625271 61731ac3 }` (macOS 13).
    fn described_data(&mut self) -> Option<Value> {
        let rest = self.rest();
        let behind = rest.strip_prefix("{length = ")?;
        let (length, behind) = behind.split_at(behind.find(|c: char| !c.is_ascii_digit())?);
        let behind = behind.strip_prefix(", bytes = 0x")?;
        let shown = |c: char| c.is_ascii_hexdigit() || matches!(c, ' ' | '.' | '…');
        let (bytes, behind) = behind.split_at(behind.find(|c| !shown(c))?);
        let behind = behind.strip_prefix('}')?;
        let (described, _) = rest.split_at(rest.len() - behind.len());
        self.at += described.len();
        let whole = hex_bytes(bytes).filter(|bytes| Ok(bytes.len()) == length.parse());
        Some(whole.map_or_else(|| Value::String(described.to_owned()), Value::Data))
    }

    /// `"quoted \"text\""` or a bare word.
    fn text(&mut self, expected: &'static str) -> Result<String, OldPlistError> {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        match self.take_while(|c| !c.is_whitespace() && !"=;,(){}<>\"".contains(c)) {
            "" => Err(self.expected(expected)),
            word => Ok(word.to_owned()),
        }
    }

    fn quoted(&mut self) -> Result<String, OldPlistError> {
        let start = self.at;
        let mut text = String::new();
        self.at += 1;
        loop {
            text.push_str(self.take_while(|c| c != '"' && c != '\\'));
            if self.accept("\"") {
                return Ok(text);
            }
            if !self.accept("\\") {
                self.at = start;
                return Err(self.expected("a text that ends with `\"`"));
            }
            self.escaped(&mut text);
        }
    }

    /// What stands behind a backslash: a sign, or UTF-16 units as `\U00e9`. Anything else is kept as it stands.
    fn escaped(&mut self, text: &mut String) {
        let mut units = Vec::new();
        while let Some(unit) = self.unit(!units.is_empty()) {
            units.push(unit);
        }
        if !units.is_empty() {
            return text.push_str(&String::from_utf16_lossy(&units));
        }
        let sign = match self.rest().chars().next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(sign @ ('"' | '\\' | '\'')) => sign,
            _ => return text.push('\\'),
        };
        self.at += 1;
        text.push(sign);
    }

    /// `U00e9`; with its backslash if it follows another one.
    fn unit(&mut self, follows: bool) -> Option<u16> {
        let digits = self.rest().strip_prefix(if follows { "\\U" } else { "U" })?.get(..4)?;
        let unit = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)?;
        self.at += if follows { 6 } else { 5 };
        u16::from_str_radix(unit, 16).ok()
    }
}

/// The bytes of hexadecimal digits between blanks; `None` for an odd number of digits or another sign.
fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let (pairs, odd) = digits.as_deref()?.as_chunks::<2>();
    odd.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary(text: &str) -> Dictionary {
        parse(text).unwrap().into_dictionary().unwrap()
    }

    fn sentence(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_dictionary_with_texts_lists_and_dictionaries() {
        let read = dictionary(
            "{\n\tHasBattery = 1;\n\tOSVersion = \"13.3.1\";\n\tLanguages =\t (\n\t\ten,\n\t\t\"pt_BR\"\n\t);\n\
             \tNone =     (\n    );\n    \"FDE_Enabled\" =     {\n        role = unconfigured;\n    };\n}\n",
        );
        assert_eq!(read.get("HasBattery").and_then(Value::as_string), Some("1"));
        assert_eq!(read.get("OSVersion").and_then(Value::as_string), Some("13.3.1"));
        assert_eq!(read.get("Languages"), Some(&Value::Array(vec!["en".into(), "pt_BR".into()])));
        assert_eq!(read.get("None"), Some(&Value::Array(vec![])));
        let inner = read.get("FDE_Enabled").and_then(Value::as_dictionary).unwrap();
        assert_eq!(inner.get("role").and_then(Value::as_string), Some("unconfigured"));
    }

    #[test]
    fn escapes_in_quoted_texts() {
        let text = r#""a \"b\" \\ \n caf\U00e9 \Ud83d\Ude00 \Ud83d \U00zz \q""#;
        assert_eq!(parse(text).unwrap(), Value::from("a \"b\" \\ \n café 😀 \u{fffd} \\U00zz \\q"));
    }

    #[test]
    fn data_whole_and_shortened() {
        assert_eq!(
            parse("<30820576 3082045e 2b97>").unwrap(),
            Value::Data(b"\x30\x82\x05\x76\x30\x82\x04\x5e\x2b\x97".into())
        );
        assert_eq!(parse("{length = 4, bytes = 0x0a0b0c0d}").unwrap(), Value::Data(vec![10, 11, 12, 13]));
        let shortened = "{length = 32, bytes = 0x068b4535 172f7bd3 851facee c98e0d88 ... 38625271 61731ac3 }";
        assert_eq!(parse(shortened).unwrap(), Value::from(shortened));
        assert_eq!(dictionary(&format!("{{ Token = {shortened}; }}")).get("Token"), Some(&Value::from(shortened)));
        assert_eq!(dictionary("{length = 4;}").get("length"), Some(&Value::from("4")), "a dictionary all the same");
    }

    #[test]
    fn the_dictionary_behind_a_head_line() {
        let text = "=== CPF_GetInstalledProfiles === (<Device>)\nNumber of <Device> profiles found: 6 (Filtered: 0)\n\
                    Daemon response: {\n    A = 1;\n}\nAgent response: (null)\n";
        for head in ["Daemon response", "Daemon response: "] {
            assert_eq!(dictionary_after(text, head).unwrap().get("A"), Some(&Value::from("1")));
        }
        let null = dictionary_after(text, "Agent response").unwrap_err();
        assert_eq!(null.to_string(), "line 6: a dictionary was expected, but \"(null)\" was found");
        let none = dictionary_after(text, "Management status").unwrap_err();
        assert_eq!(none.to_string(), "no line begins with `Management status:`");
    }

    #[test]
    fn the_dictionary_of_a_log_message() {
        let message = "Error in pending response: {\n    CommandUUID = 13273055;\n    ErrorChain =     (\n                {\n\
                       \x20           ErrorCode = \"-102\";\n        }\n    );\n    Status = Error;\n}";
        let response = dictionary_after(message, "Error in pending response").unwrap();
        assert_eq!(response.get("CommandUUID"), Some(&Value::from("13273055")));
        let chain = response.get("ErrorChain").and_then(Value::as_array).unwrap();
        assert_eq!(chain[0].as_dictionary().and_then(|link| link.get("ErrorCode")), Some(&Value::from("-102")));
    }

    #[test]
    fn errors_say_the_line_and_what_was_expected() {
        assert_eq!(sentence(""), "line 1: a value was expected, but the end of the text was found");
        assert_eq!(sentence("{\n  A = 1\n}"), "line 3: `;` behind a value was expected, but \"}\" was found");
        assert_eq!(sentence("{\n  A 1;\n}"), "line 2: `=` behind a key was expected, but \"1;\" was found");
        assert_eq!(sentence("(a b)"), "line 1: `,` or `)` behind a value was expected, but \"b)\" was found");
        assert_eq!(sentence("\n\"a\nb"), "line 2: a text that ends with `\"` was expected, but \"\\\"a\" was found");
        assert_eq!(sentence("<308>"), "line 1: pairs of hexadecimal digits and `>` was expected, but \">\" was found");
        assert_eq!(sentence("{} x"), "line 1: the end of the text was expected, but \"x\" was found");
    }

    #[test]
    fn size_depth_and_number_of_values_are_bounded() {
        let nested = |levels: usize| format!("{}{}", "(".repeat(levels), ")".repeat(levels));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(parse(&nested(MAX_DEPTH + 2)), Err(OldPlistError::TooDeep { line: 1 }));
        assert_eq!(parse(&"(".repeat(1 << 20)), Err(OldPlistError::TooDeep { line: 1 }));
        assert_eq!(
            parse(&format!("({})", "a,\n".repeat(MAX_VALUES))),
            Err(OldPlistError::TooMany { line: MAX_VALUES })
        );
        assert_eq!(parse(&" ".repeat(MAX_INPUT + 1)), Err(OldPlistError::TooLong { length: MAX_INPUT + 1 }));
    }
}
