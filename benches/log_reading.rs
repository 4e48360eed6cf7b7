//! How fast a log is read: the reader against the least that any reader must do, in the same run.
//!
//! Run it with `cargo bench --bench log_reading`. Absolute speeds depend on the machine; the ratios are the result.

use mdm_health::event;
use mdm_health::log::ndjson::JsonRecord;
use mdm_health::log::{ReadOptions, read_log};
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const LINES: usize = 200_000;
const MIXED_LINES: usize = 1_000_000;
const ROUNDS: usize = 9;

fn main() {
    let log = log(LINES, 1);
    let megabytes = log.len() as f64 / 1e6;
    println!("{LINES} ndjson records, all of mdmclient, {megabytes:.0} MB, {ROUNDS} rounds, medians");
    let bare = "bare serde_json::from_str loop";
    compare(megabytes, "reader", || read(log.as_bytes(), false), bare, || bare_loop(&log));
    compare(megabytes, "reader and events", || read(log.as_bytes(), true), bare, || bare_loop(&log));
    drop(log);
    let log = self::log(MIXED_LINES, 25);
    let megabytes = log.len() as f64 / 1e6;
    println!("{MIXED_LINES} ndjson records, one in 25 of mdmclient, {megabytes:.0} MB");
    let count = || {
        black_box(memchr::memchr_iter(b'\n', log.as_bytes()).count());
    };
    compare(megabytes, "reader and events", || read(log.as_bytes(), true), "memchr newline count", count);
    // Another process at the other end of the pipe, as `log show` is.
    let Ok(file) = tempfile::NamedTempFile::new() else { return };
    if fs::write(file.path(), &log).is_ok() {
        let path = file.path();
        let through = |work: fn(ChildStdout)| move || piped(path, work);
        let (read, count) = (through(|pipe| read(pipe, true)), through(count_lines));
        compare(megabytes, "the same through a pipe", read, "read and count", count);
    }
}

fn read(input: impl Read, with_events: bool) {
    let options = ReadOptions { may_matter: Some(event::may_matter), ..ReadOptions::default() };
    let mut kept = 0usize;
    let summary = read_log(input, &options, |record| {
        kept += usize::from(with_events && event::recognise(record).is_some());
    });
    black_box((summary.map(|summary| summary.records).unwrap_or(0), kept));
}

/// Has the file read through a pipe.
#[allow(clippy::disallowed_methods, reason = "the bench starts a program itself")]
fn piped(file: &Path, work: fn(ChildStdout)) {
    let Ok(mut cat) = Command::new("cat").arg(file).stdout(Stdio::piped()).spawn() else { return };
    cat.stdout.take().map(work);
    let _ = cat.wait();
}

fn count_lines(mut pipe: ChildStdout) {
    let (mut buffer, mut lines) = (vec![0; 1 << 16], 0);
    while let Ok(read @ 1..) = pipe.read(&mut buffer) {
        lines += memchr::memchr_iter(b'\n', buffer.get(..read).unwrap_or_default()).count();
    }
    black_box(lines);
}

/// Each line by itself, checked for UTF-8 and parsed into the reader's own struct.
fn bare_loop(log: &str) {
    let (mut lengths, mut start) = (0, 0);
    for end in memchr::memchr_iter(b'\n', log.as_bytes()) {
        let line = log.as_bytes().get(start..end).unwrap_or_default();
        start = end + 1;
        let record = std::str::from_utf8(line).ok().and_then(|line| serde_json::from_str::<JsonRecord<'_>>(line).ok());
        lengths += record.map_or(0, |record| black_box(record).event_message.len());
    }
    black_box(lengths);
}

/// Runs the two in turn and prints the median speed of each and the median of their ratio.
fn compare(megabytes: f64, name: &str, mut one: impl FnMut(), other_name: &str, mut other: impl FnMut()) {
    let mut speeds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|_| (megabytes / timed(&mut one).as_secs_f64(), megabytes / timed(&mut other).as_secs_f64()))
        .collect();
    let mut median = |of: fn(&(f64, f64)) -> f64| {
        speeds.sort_by(|left, right| of(left).total_cmp(&of(right)));
        speeds.get(ROUNDS / 2).map_or(0.0, of)
    };
    let (ours, theirs, ratio) = (median(|speed| speed.0), median(|speed| speed.1), median(|speed| speed.0 / speed.1));
    println!("{name}: {ours:.0} MB/s; {other_name}: {theirs:.0} MB/s; ratio {:.1} %", ratio * 100.0);
}

fn timed(work: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// A log as `log show --style ndjson` prints it on macOS 26, about a kilobyte a record, one in so many an exchange of
/// mdmclient.
fn log(lines: usize, one_in: usize) -> String {
    let mut log = String::new();
    for number in 0..lines {
        let image = if number % one_in == 0 { "\\/usr\\/libexec\\/mdmclient" } else { "\\/usr\\/libexec\\/apsd" };
        let (hour, minute, second) = (number / 3600 % 24, number / 60 % 60, number % 60);
        let message = if number % 2 == 0 {
            ">>>>> Sending HTTP request (PUT) [Idle] >>>>>"
        } else {
            "<<<<< Received HTTP response (200) [Idle] <<<<<"
        };
        let _ = writeln!(
            log,
            "{{\"timezoneName\":\"\",\"messageType\":\"Default\",\"eventType\":\"logEvent\",\"source\":null,\
             \"formatString\":\"%{{public}}@\",\"userID\":0,\"activityIdentifier\":0,\"subsystem\":\"com.apple.ManagedClient\",\
             \"category\":\"HTTPUtil\",\"threadID\":{},\"senderImageUUID\":\"6A1D3F60-8F0B-3A55-9C53-2A1B7D3E9F10\",\
             \"backtrace\":{{\"frames\":[{{\"imageOffset\":{},\"imageUUID\":\"6A1D3F60-8F0B-3A55-9C53-2A1B7D3E9F10\"}}]}},\
             \"bootUUID\":\"0D7C8C3B-52F1-4A7E-8B43-9B0A6B0E5F11\",\"processImagePath\":\"{image}\",\
             \"senderImagePath\":\"{image}\",\
             \"timestamp\":\"2026-11-23 {hour:02}:{minute:02}:{second:02}.{:06}+0000\",\"machTimestamp\":{},\
             \"eventMessage\":\"[0:MDMDaemon:HTTPUtil:<0x{:x}>] {message}\",\
             \"processImageUUID\":\"6A1D3F60-8F0B-3A55-9C53-2A1B7D3E9F10\",\"traceID\":41979461356879876,\"processID\":{},\
             \"senderProgramCounter\":103060,\"parentActivityIdentifier\":0}}",
            0x6c00 + number % 16,
            100_000 + number,
            number % 1_000_000,
            20_147_685_217_463u64 + number as u64,
            0x6c00 + number % 16,
            300 + number % 7,
        );
    }
    let _ = writeln!(log, "{{\"count\":{lines},\"finished\":1}}");
    log
}
