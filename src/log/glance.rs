//! A look at an ndjson line that tells who wrote it and when, without parsing the line.
//!
//! In a log of all processes one line in twenty-five is of a process that matters. Parsing the others takes most of the
//! time; looking at two fields takes a tenth of that. Quotes within a text are escaped, so that no message can hold
//! what is looked for here.

use memchr::memmem::Finder;
use std::sync::LazyLock;

/// `"processImagePath":"\/usr\/libexec\/mdmclient","senderImagePath":…,"timestamp":"2026-07-26 18:11:22.348728+1200"`
/// (macOS 26): in this order, and near each other.
static IMAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"processImagePath\":\""));
static TIMESTAMP: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"timestamp\":\""));

/// Two fields of a record, as they stand in the line.
#[derive(Debug, PartialEq, Eq)]
pub struct Glance<'l> {
    /// The writer's image path, with its slashes escaped or not.
    pub image: &'l [u8],
    /// When it was written.
    pub timestamp: &'l str,
}

/// Where the fields stood in the line before. Records of one kind are alike, and often follow one another: a look at the
/// same places comes before a search.
#[derive(Debug, Default)]
pub struct Places {
    image: usize,
    timestamp: usize,
}

impl Places {
    /// The fields of a whole line; `None` if they are not where they usually are.
    pub fn glance<'l>(&mut self, line: &'l [u8]) -> Option<Glance<'l>> {
        line.ends_with(b"}").then_some(())?;
        let (image, rest) = text_after(line, &IMAGE, &mut self.image)?;
        let (timestamp, _) = text_after(rest, &TIMESTAMP, &mut self.timestamp)?;
        Some(Glance { image, timestamp: std::str::from_utf8(timestamp).ok()? })
    }
}

/// The text behind a key, up to the next quote, and what follows. A text with an escaped quote is cut there, and then is
/// no path of a process that matters.
fn text_after<'l>(line: &'l [u8], key: &Finder<'_>, place: &mut usize) -> Option<(&'l [u8], &'l [u8])> {
    if !line.get(*place..).is_some_and(|rest| rest.starts_with(key.needle())) {
        *place = key.find(line)?;
    }
    let text = line.get(*place + key.needle().len()..)?;
    text.split_at_checked(memchr::memchr(b'"', text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_and_the_time_are_seen() {
        let line = br#"{"eventMessage":"\"processImagePath\":\"x\"","processImagePath":"\/usr\/libexec\/mdmclient","timestamp":"2026-07-26 18:11:22.348728+1200"}"#;
        let mut places = Places::default();
        // As in the first line, as in the line before, and elsewhere than there.
        for longer in ["", "", "longer", ""] {
            let line = [b"{\"source\":\"", longer.as_bytes(), b"\",", &line[1..]].concat();
            let seen = places.glance(&line).unwrap();
            assert_eq!(seen.image, br"\/usr\/libexec\/mdmclient");
            assert_eq!(seen.timestamp, "2026-07-26 18:11:22.348728+1200");
        }
    }

    #[test]
    fn a_line_that_is_cut_off_or_otherwise_is_left_to_the_parser() {
        for line in [
            &br#"{"processImagePath":"\/x","timestamp":"2026"#[..],
            br#"{"timestamp":"2026-07-26 18:11:22.348728+1200","processImagePath":"\/x"}"#,
            br#"{"timestamp":"2026-07-26 18:11:22.348728+1200"}"#,
            b"",
            b"}",
        ] {
            assert_eq!(Places::default().glance(line), None, "{}", String::from_utf8_lossy(line));
        }
    }
}
