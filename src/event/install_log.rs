//! What is said of OS updates in `/var/log/install.log`.
//!
//! The file carries only the names that its writers give themselves. They are taken as given: what rests on this file
//! is as true as the file.

use super::update::{UpdateEvent, UpdateLog, UpdateMessage, product_keys};
use super::{Event, EventKind, bounded, enforcement, softwareupdated};
use crate::log::install_log::InstallRecord;
use crate::vocabulary::Time;
use chrono::{NaiveDateTime, TimeZone};

/// The event of a record: none for most.
pub fn recognise(record: &InstallRecord<'_>) -> Option<Event> {
    let said = match record.process {
        "softwareupdated" => softwareupdated(record),
        _ => installed(record.message),
    }?;
    let update = UpdateEvent { message: said, log: UpdateLog::Install, process: bounded(record.process) };
    Some(Event {
        at: record.at,
        pid: record.pid,
        thread: 0,
        channel: None,
        attributed: false,
        level: None,
        kind: EventKind::Update(Box::new(update)),
    })
}

fn softwareupdated(record: &InstallRecord<'_>) -> Option<UpdateMessage> {
    let message = record.message;
    // `Scan (f=1, d=0) completed ` (13.4.1)
    if message.starts_with("Scan (") && message.trim_end().ends_with(") completed") {
        return Some(UpdateMessage::ScanEnded { detail: bounded(message) });
    }
    found(message)
        .or_else(|| softwareupdated::scan(message))
        .or_else(|| padded(record))
        .or_else(|| applied(message))
        .or_else(|| started(message))
        .or_else(|| installed(message))
        .or_else(|| enforcement::recognise(message))
}

/// All OS updates that a scan found, on 13.4.1:
///
/// ```text
/// MSU updates found: (
///     "<SUOSUProduct: MSU_UPDATE_22G74_patch_13.5_minor>"
/// )
/// ```
fn found(message: &str) -> Option<UpdateMessage> {
    let list = message.strip_prefix("MSU updates found: (")?;
    let mut keys: Vec<_> = list
        .split("<SUOSUProduct: ")
        .skip(1)
        .flat_map(|product| product_keys(product.split('>').next().unwrap_or_default()))
        .collect();
    keys.sort();
    keys.dedup();
    // A list that was cut off is not all there is.
    list.trim_end().ends_with(')').then_some(UpdateMessage::Found { product_keys: keys })
}

/// `… setPastDuePaddedEnforcementDate is set: Thu Nov 13 08:59:56 2025`: in the Mac's local time, so in the line's own
/// offset.
fn padded(record: &InstallRecord<'_>) -> Option<UpdateMessage> {
    let (_, date) = record.message.split_once("setPastDuePaddedEnforcementDate is set: ")?;
    let local = NaiveDateTime::parse_from_str(date.trim(), "%a %b %e %H:%M:%S %Y").ok()?;
    let at: Time = record.offset.from_local_datetime(&local).single()?.to_utc();
    Some(UpdateMessage::PaddedDeadline { at })
}

/// `SUOSUPostLogoutInstallOperation: Applied MSU update`
fn applied(message: &str) -> Option<UpdateMessage> {
    message.starts_with("SUOSUPostLogoutInstallOperation: Applied MSU update").then_some(UpdateMessage::Applied)
}

/// `Starting with build 14.1 (23B74)`, with or without `softwareupdated: ` before it.
fn started(message: &str) -> Option<UpdateMessage> {
    system(message.strip_prefix("softwareupdated: ").unwrap_or(message).strip_prefix("Starting with build ")?)
}

/// `Previous System Version … Current System Version : 14.1 (23B74)` after an installation. Which process writes it is
/// not known, so any may.
fn installed(message: &str) -> Option<UpdateMessage> {
    let (_, current) = message.strip_prefix("Previous System Version")?.split_once("Current System Version : ")?;
    system(current)
}

/// A version and its build in brackets: `14.1 (23B74)`, and for a rapid security response `13.3.1 (a) (22E772610a)`.
fn system(text: &str) -> Option<UpdateMessage> {
    let version: Box<str> = text.split_whitespace().next().filter(|word| is_version(word)).map(bounded)?;
    let build = text.split('(').skip(1).filter_map(|part| part.split(')').next()).find(|part| is_build(part))?;
    Some(UpdateMessage::RunsBuild { version, build: bounded(build) })
}

fn is_version(word: &str) -> bool {
    word.len() <= 16
        && word.starts_with(|first: char| first.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Digits, a capital letter, digits, and at most a small letter.
fn is_build(word: &str) -> bool {
    let behind = word.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let Some(rest) = behind.strip_prefix(|letter: char| letter.is_ascii_uppercase()) else { return false };
    let last = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let small = last.len() <= 1 && last.bytes().all(|byte| byte.is_ascii_lowercase());
    word.len() <= 16 && behind.len() < word.len() && last.len() < rest.len() && small
}
