//! Text that is safe to print: a terminal obeys control characters, and anybody can put some into a log line, a file
//! name or an argument.

use std::fmt::Write as _;

/// The text with the characters escaped that a terminal would obey.
pub fn printable(text: &str) -> String {
    let mut printed = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_obeyed(letter) { printed.extend(letter.escape_default()) } else { printed.push(letter) }
    }
    printed
}

/// JSON with the same content and without such characters. serde_json escapes only those that JSON forbids. Line ends
/// stay: they are between values.
pub fn printable_json(json: &str) -> String {
    let mut printed = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_obeyed(letter) && letter != '\n' {
            let _ = write!(printed, "\\u{:04x}", u32::from(letter));
        } else {
            printed.push(letter);
        }
    }
    printed
}

/// Control characters, those that change the direction of text, and those that end a line or a paragraph.
fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
