//! Bytes made into lines, with one buffer that never grows: a line that does not fit is reported, not kept.

use std::io::{self, Cursor, ErrorKind, Read};
use std::ops::Range;

/// How much is read at once: little enough to stay in the processor's cache until it is parsed.
const READ: usize = 64 << 10;

/// A line without its end.
pub enum Line<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// It was longer than the buffer and has been passed over.
    TooLong,
}

/// Splits an input into lines.
pub struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// What has been read and not yet handed out.
    held: Range<usize>,
    /// The line handed out last, still in the buffer.
    given: Range<usize>,
    /// Whether the line handed out last ended with the input.
    pub cut: bool,
}

/// Where the next line is.
enum Next {
    Line(Range<usize>),
    TooLong,
    End,
}

impl<R: Read> Lines<R> {
    /// Lines of up to `longest` bytes.
    pub fn new(input: R, longest: usize) -> Self {
        Self { input, buffer: vec![0; longest], held: 0..0, given: 0..0, cut: false }
    }

    /// The next line; `None` at the end. A last line without a line end counts as one.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        match self.find()? {
            Next::End => Ok(None),
            Next::TooLong => Ok(Some(Line::TooLong)),
            Next::Line(range) => {
                self.given = range.clone();
                let line = self.buffer.get(range).unwrap_or_default();
                Ok(Some(Line::Whole(line.strip_suffix(b"\r").unwrap_or(line))))
            }
        }
    }

    /// The input from the line handed out last on, that line included.
    pub fn into_rest(self) -> impl Read {
        let from = self.given.start.min(self.held.start);
        let rest = self.buffer.get(from..self.held.end).unwrap_or_default().to_vec();
        Cursor::new(rest).chain(self.input)
    }

    fn find(&mut self) -> io::Result<Next> {
        let mut searched = 0;
        let mut too_long = false;
        loop {
            let held = self.buffer.get(self.held.clone()).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', held.get(searched..).unwrap_or_default()) {
                let line = self.held.start..self.held.start + searched + at;
                self.held.start = line.end + 1;
                return Ok(if too_long { Next::TooLong } else { Next::Line(line) });
            }
            searched = held.len();
            if self.held.start > 0 {
                self.buffer.copy_within(self.held.clone(), 0);
                self.held = 0..searched;
            } else if searched == self.buffer.len() {
                too_long = true;
                self.held = 0..0;
                searched = 0;
            }
            if self.fill()? == 0 {
                self.cut = true;
                let line = std::mem::replace(&mut self.held, 0..0);
                return Ok(match (too_long, line.is_empty()) {
                    (true, _) => Next::TooLong,
                    (false, true) => Next::End,
                    (false, false) => Next::Line(line),
                });
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let end = self.buffer.len().min(self.held.end + READ);
        let room = self.buffer.get_mut(self.held.end..end).unwrap_or_default();
        loop {
            match self.input.read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(read) => {
                    self.held.end += read;
                    return Ok(read);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], longest: usize) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::new(input, longest);
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            found.push(match line {
                Line::Whole(bytes) => Some(bytes.to_vec()),
                Line::TooLong => None,
            });
        }
        found
    }

    #[test]
    fn a_line_longer_than_the_buffer_is_reported_once_and_the_next_is_whole() {
        assert_eq!(all(b"ab\nabcdefghijkl\ncd", 4), [Some(b"ab".to_vec()), None, Some(b"cd".to_vec())]);
    }

    #[test]
    fn an_overlong_last_line_without_an_end_is_reported() {
        assert_eq!(all(b"ab\nabcdefgh", 4), [Some(b"ab".to_vec()), None]);
    }

    proptest::proptest! {
        #[test]
        fn lines_are_those_of_the_text_whatever_the_buffer(text in "[ab\n]{0,60}", longest in 1usize..12) {
            let expected: Vec<Option<Vec<u8>>> = text
                .strip_suffix('\n').unwrap_or(&text)
                .split('\n')
                .filter(|_| !text.is_empty())
                .map(|line| (line.len() < longest).then(|| line.as_bytes().to_vec()))
                .collect();
            // A last line without an end needs no room for one, so it may be as long as the buffer.
            let found = all(text.as_bytes(), longest);
            proptest::prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                if expected.is_some() {
                    proptest::prop_assert_eq!(found, expected);
                }
            }
        }
    }
}
