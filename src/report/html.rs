//! Text made harmless for a page.

use crate::vocabulary::printable;
use std::borrow::Cow;

/// The longest text of a cell, in characters: a log line may hold anything.
const LONGEST: usize = 600;

/// Text for a page, inside of an element or of a quoted attribute. What a reader would not see, or what would turn the
/// direction of the text, is spelled out, and a text that is too long is cut.
pub fn text(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for letter in printable(&cut(text)).chars() {
        match letter {
            '&' => harmless.push_str("&amp;"),
            '<' => harmless.push_str("&lt;"),
            '>' => harmless.push_str("&gt;"),
            '"' => harmless.push_str("&quot;"),
            '\'' => harmless.push_str("&#39;"),
            letter => harmless.push(letter),
        }
    }
    harmless
}

/// Prose with names between backticks, as the tables' pages have it.
pub fn prose(prose: &str) -> String {
    let parts = prose.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 0 { text(part) } else { format!("<code>{}</code>", text(part)) }).collect()
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        None => text.into(),
        Some((end, _)) => {
            let left_out = text.chars().count() - LONGEST;
            format!("{} … ({left_out} more characters)", text.get(..end).unwrap_or_default()).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_stays_text() {
        assert_eq!(text("\"><svg onload='x'>&"), "&quot;&gt;&lt;svg onload=&#39;x&#39;&gt;&amp;");
    }

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        assert_eq!(text("a\u{1b}[31m\u{202e}\u{61c}\n"), "a\\u{1b}[31m\\u{202e}\\u{61c}\\n");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let long = "é".repeat(LONGEST + 5);
        assert_eq!(text(&long), format!("{} … (5 more characters)", "é".repeat(LONGEST)));
        assert_eq!(text(&long[..2 * LONGEST]), long[..2 * LONGEST]);
    }

    #[test]
    fn names_in_prose_are_set_apart() {
        assert_eq!(prose("the `<a>` of it"), "the <code>&lt;a&gt;</code> of it");
    }
}
