//! Text that is safe to print: anybody can write log lines, and a terminal obeys control characters.

use std::fmt::Write as _;

/// A text without control characters, which a terminal would obey.
pub fn printable(text: &str) -> String {
    let mut printed = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_obeyed(letter) { printed.extend(letter.escape_default()) } else { printed.push(letter) }
    }
    printed
}

/// JSON that says the same without control characters. serde_json escapes only those of them that JSON forbids; what is
/// left of the others stands in a text, but for the ends of lines.
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

/// Whether a terminal obeys it: the control characters, and those that turn the direction of a text.
fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
