//! `log show --style json`: one array over many lines, taken apart object by object so that memory stays flat.

use super::{LogRecord, LogSummary, MAX_RECORD, ndjson};
use std::io::{BufRead, BufReader, ErrorKind, Read};

/// Whether a line can be the first of the array: `[{`, `[` alone, or `[]`.
pub fn begins(line: &[u8]) -> bool {
    let rest = line.get(1..).unwrap_or_default().trim_ascii();
    matches!(rest.first(), None | Some(b'{' | b']'))
}

/// Reads the array to its end. A missing `]` is a cut-off run.
pub fn read(input: impl Read, summary: &mut LogSummary, on_record: &mut impl FnMut(&LogRecord<'_>)) {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let mut state = State::default();
    summary.complete = Some(false);
    loop {
        let length = match input.fill_buf() {
            Ok([]) => break,
            Ok(bytes) => {
                for &byte in bytes {
                    state.byte(byte, summary, on_record);
                }
                bytes.len()
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(error) => {
                summary.broken = Some(error.to_string());
                break;
            }
        };
        input.consume(length);
    }
    if state.depth > 0 {
        summary.lines_not_understood += 1;
    }
}

/// Where in the array the reading is.
#[derive(Default)]
struct State {
    reader: ndjson::Reader,
    object: Vec<u8>,
    depth: usize,
    in_text: bool,
    escaped: bool,
    too_long: bool,
}

impl State {
    fn byte(&mut self, byte: u8, summary: &mut LogSummary, on_record: &mut impl FnMut(&LogRecord<'_>)) {
        if self.depth == 0 {
            match byte {
                // A second array behind the first needs an end of its own.
                b'{' => (self.depth, summary.complete) = (1, Some(false)),
                b']' => summary.complete = Some(true),
                _ => {}
            }
            self.object.clear();
            self.object.push(byte);
            return;
        }
        if self.object.len() < MAX_RECORD {
            self.object.push(byte);
        } else {
            self.too_long = true;
        }
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' => self.depth += 1,
            b'}' => self.depth -= 1,
            _ => {}
        }
        if self.depth == 0 {
            if std::mem::take(&mut self.too_long) {
                summary.lines_not_understood += 1;
            } else {
                self.reader.object(&self.object, summary, on_record);
            }
        }
    }
}
