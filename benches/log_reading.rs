//! How fast a log is read: the reader against the least that any reader must do, in the same run.
//!
//! Run it with `cargo bench --bench log_reading`. Absolute speeds depend on the machine; the ratios are the result.

use mdm_health::event;
use mdm_health::log::ndjson::JsonRecord;
use mdm_health::log::{ReadOptions, read_log};
use std::env;
use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, ErrorKind, Read, Write as _};
use std::os::fd::AsFd;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const LINES: usize = 200_000;
const MIXED_LINES: usize = 1_000_000;
const ROUNDS: usize = 9;

/// The arguments by which the bench is started again as the other end of a pipe: it makes its records as it goes, as
/// `log show` does, or writes the same ones over and over, which is the fastest that a pipe can be fed.
const PRINTER: &str = "--print-records";
const COPIER: &str = "--copy-records";
const COPIES: usize = 50;
/// How much the other end writes at once: as much as fits in a pipe.
const PIECE: usize = 64 << 10;

fn main() -> io::Result<()> {
    for (argument, write) in [(PRINTER, print_records as fn(File) -> io::Result<()>), (COPIER, copy_records)] {
        if env::args().any(|given| given == argument) {
            // Rust's own standard output would hold back the end of each piece until the next.
            return write(File::from(io::stdout().as_fd().try_clone_to_owned()?));
        }
    }
    let log = log(LINES, 1);
    let megabytes = log.len() as f64 / 1e6;
    println!("{LINES} ndjson records, all of mdmclient, {megabytes:.0} MB, {ROUNDS} rounds, medians");
    let (bare, bare_loop) = ("bare serde_json::from_str loop", || timed(|| bare_loop(&log)));
    compare(megabytes, "reader", || timed(|| read(log.as_bytes(), false)), bare, bare_loop)?;
    compare(megabytes, "reader and events", || timed(|| read(log.as_bytes(), true)), bare, bare_loop)?;
    drop(log);
    let log = self::log(MIXED_LINES, 25);
    let megabytes = log.len() as f64 / 1e6;
    println!("{MIXED_LINES} ndjson records, one in 25 of mdmclient, {megabytes:.0} MB");
    let count = || {
        timed(|| {
            black_box(memchr::memchr_iter(b'\n', log.as_bytes()).count());
        })
    };
    compare(megabytes, "reader and events", || timed(|| read(log.as_bytes(), true)), "memchr newline count", count)?;
    drop(log);
    for (name, writer) in [
        ("the same through a pipe, printed as it is read", PRINTER),
        ("the same through a pipe, copied from memory", COPIER),
    ] {
        let (read, count) = (|| piped(writer, |pipe| read(pipe, true)), || piped(writer, count_lines));
        compare(megabytes, name, read, "read and count", count)?;
    }
    Ok(())
}

fn read(input: impl Read, with_events: bool) {
    let options = ReadOptions { may_matter: Some(event::may_matter), ..ReadOptions::default() };
    let mut kept = 0usize;
    let summary = read_log(input, &options, |record| {
        kept += usize::from(with_events && event::recognise(record).is_some());
    });
    black_box((summary.map(|summary| summary.records).unwrap_or(0), kept));
}

/// How long it takes to read what another process writes, as `log show` is one. The clock runs from its first byte on.
#[allow(clippy::disallowed_methods, reason = "the bench starts a program itself")]
fn piped(writer: &str, work: impl FnOnce(ChildStdout)) -> io::Result<Duration> {
    let mut writer = Command::new(env::current_exe()?).arg(writer).stdout(Stdio::piped()).spawn()?;
    let mut pipe = writer.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
    pipe.read_exact(&mut [0])?;
    let time = timed(|| work(pipe));
    if writer.wait()?.success() { time } else { Err(ErrorKind::BrokenPipe.into()) }
}

/// Writes a blank line, then the log while it is made.
fn print_records(mut pipe: File) -> io::Result<()> {
    pipe.write_all(b"\n")?;
    let mut made = String::new();
    for number in 0..MIXED_LINES {
        push_record(&mut made, number, 25);
        if let Some(piece) = made.as_bytes().get(..PIECE) {
            pipe.write_all(piece)?;
            made.drain(..PIECE);
        }
    }
    pipe.write_all(made.as_bytes())
}

/// Writes a blank line once a part of the log is at hand, then that part again and again.
fn copy_records(mut pipe: File) -> io::Result<()> {
    let part = log(MIXED_LINES / COPIES, 25);
    pipe.write_all(b"\n")?;
    (0..COPIES).flat_map(|_| part.as_bytes().chunks(PIECE)).try_for_each(|piece| pipe.write_all(piece))
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
fn compare(
    megabytes: f64,
    name: &str,
    one: impl Fn() -> io::Result<Duration>,
    other_name: &str,
    other: impl Fn() -> io::Result<Duration>,
) -> io::Result<()> {
    let speed = |time: Duration| megabytes / time.as_secs_f64();
    let mut speeds = (0..ROUNDS).map(|_| Ok((speed(one()?), speed(other()?)))).collect::<io::Result<Vec<_>>>()?;
    let mut median = |of: fn(&(f64, f64)) -> f64| {
        speeds.sort_by(|left, right| of(left).total_cmp(&of(right)));
        speeds.get(ROUNDS / 2).map_or(0.0, of)
    };
    let (ours, theirs, ratio) = (median(|speed| speed.0), median(|speed| speed.1), median(|speed| speed.0 / speed.1));
    println!("{name}: {ours:.0} MB/s; {other_name}: {theirs:.0} MB/s; ratio {:.1} %", ratio * 100.0);
    Ok(())
}

fn timed(work: impl FnOnce()) -> io::Result<Duration> {
    let start = Instant::now();
    work();
    Ok(start.elapsed())
}

/// A log as `log show --style ndjson` prints it, one record in so many an exchange of mdmclient.
fn log(lines: usize, one_in: usize) -> String {
    let mut log = String::new();
    (0..lines).for_each(|number| push_record(&mut log, number, one_in));
    let _ = writeln!(log, "{{\"count\":{lines},\"finished\":1}}");
    log
}

/// A record as macOS 26 prints it, about a kilobyte.
fn push_record(log: &mut String, number: usize, one_in: usize) {
    let image = if number.is_multiple_of(one_in) { "\\/usr\\/libexec\\/mdmclient" } else { "\\/usr\\/libexec\\/apsd" };
    let (hour, minute, second) = (number / 3600 % 24, number / 60 % 60, number % 60);
    let message = if number.is_multiple_of(2) {
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
