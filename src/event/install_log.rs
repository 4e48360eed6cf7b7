//! What is said of OS updates, and of sleep, in `/var/log/install.log`.
//!
//! The file carries only the names that its writers give themselves. They are taken as given, so anything based on this
//! file is only as trustworthy as the file.

use super::update::{ReportKind, UpdateEvent, UpdateLog, UpdateMessage, product_keys};
use super::{Event, EventKind, bounded, enforcement, power, softwareupdated, status_report};
use crate::log::install_log::InstallRecord;
use crate::vocabulary::Time;
use chrono::{NaiveDateTime, TimeZone};

const NOTIFICATION_MANAGER: &str = "SoftwareUpdateNotificationManager";

/// The event of a record: none for most.
pub fn recognise(record: &InstallRecord<'_>) -> Option<Event> {
    let power = || {
        let speaks = [softwareupdated::NAME, NOTIFICATION_MANAGER].contains(&record.process);
        speaks.then(|| power::said_in_install_log(record.message)).flatten().map(EventKind::Power)
    };
    let update = || {
        let message = match record.process {
            softwareupdated::NAME => softwareupdated(record),
            NOTIFICATION_MANAGER => new_updates(record.message),
            _ => installed(record.message),
        }?;
        let update = UpdateEvent { message, log: UpdateLog::Install, process: bounded(record.process) };
        Some(EventKind::Update(Box::new(update)))
    };
    Some(Event {
        at: record.at,
        pid: record.pid,
        thread: 0,
        channel: None,
        attributed: false,
        level: None,
        kind: power().or_else(update)?,
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
        .or_else(|| progress(message))
        .or_else(|| already_prepared(message))
        .or_else(|| held_back(message))
        .or_else(|| descriptor(message))
        .or_else(|| enforcing(message))
        .or_else(|| padded(record))
        .or_else(|| applied(message))
        .or_else(|| started(message))
        .or_else(|| installed(message))
        .or_else(|| status_report::recognise(message))
        .or_else(|| enforcement::recognise(message))
}

/// All OS updates that a scan found, on 13.4.1:
///
/// ```text
/// MSU updates found: (
///     "<SUOSUProduct: MSU_UPDATE_22G74_patch_13.5_minor>"
/// )
/// ```
///
/// A product's class may be `SUOSUMajorProduct` too (15.7).
fn found(message: &str) -> Option<UpdateMessage> {
    let list = message.strip_prefix("MSU updates found: (")?;
    let products = list.split('<').filter_map(product);
    let mut keys: Vec<_> = products.flat_map(product_keys).collect();
    keys.sort();
    keys.dedup();
    // A list that was cut off is not all there is.
    list.trim_end().ends_with(')').then_some(UpdateMessage::Found { product_keys: keys })
}

/// `SUOSUProduct: KEY>` or `SUOSUMajorProduct: KEY>…`, behind the `<`, into what stands for the key.
fn product(text: &str) -> Option<&str> {
    let key = text.strip_prefix("SUOSUProduct: ").or_else(|| text.strip_prefix("SUOSUMajorProduct: "))?;
    key.split('>').next()
}

/// `Controller: Received availableUpdatesChanged notification; new updates: [MSU_UPDATE_21C52_patch_12.1]; new major
/// updates: [002-42435, 002-23774]` (12.0): only what is new, not all that is on offer. The major ones are the full
/// installers of every macOS that this Mac can run; those whose keys name no version are left out.
fn new_updates(message: &str) -> Option<UpdateMessage> {
    let (_, lists) = message.split_once("availableUpdatesChanged notification; new updates: [")?;
    let (updates, major) = lists.split_once(']')?;
    let mut product_keys = product_keys(updates);
    product_keys.extend(self::product_keys(major).into_iter().filter(|key| key.contains('_')));
    (!product_keys.is_empty()).then_some(UpdateMessage::Offered { product_keys })
}

/// `Progress: phase:PREPARING_UPDATE stalled:NO portionComplete:0.650000 estimatedTimeRemaining:-1.000000` (11, 12)
fn progress(message: &str) -> Option<UpdateMessage> {
    let fields = message.strip_prefix("Progress: ")?;
    softwareupdated::progress_fields(ReportKind::Inter, fields).map(UpdateMessage::Progress)
}

/// `SUOSUBackgroundDownloadEvaluator: <SUOSUMajorProduct: KEY>(Title:macOS Tahoe 26.5 Version:26.5, Identifier:(null), …)
/// is already prepared` (15.7)
fn already_prepared(message: &str) -> Option<UpdateMessage> {
    let (_, rest) = message.strip_suffix(" is already prepared")?.split_once('<')?;
    let product_key = product_keys(product(rest)?).into_iter().next()?;
    let title = rest.split_once("(Title:").and_then(|(_, rest)| rest.split_once(" Version:"));
    Some(UpdateMessage::AlreadyPrepared { product_key, title: title.map(|(title, _)| bounded(title)) })
}

/// `Product 052-14528 is deferred until 2024-03-10 08:00:00 +0000` (13 or 14)
fn held_back(message: &str) -> Option<UpdateMessage> {
    let (product, until) = message.strip_prefix("Product ")?.split_once(" is deferred until ")?;
    let product_key = product_keys(product).into_iter().next()?;
    Some(UpdateMessage::HeldBack { product_key, until: bounded(until.trim()) })
}

/// `Descriptor has changed since previous download (13.5 vs 13.4.1)` (13.4.1), and `Previous: SUMacControllerDescriptor(…)`
/// with `Current: …` behind it (26).
fn descriptor(message: &str) -> Option<UpdateMessage> {
    let is_one = message.starts_with("Descriptor has changed since previous download (")
        || message.starts_with("Previous: SUMacControllerDescriptor(")
        || message.starts_with("Current: SUMacControllerDescriptor(");
    is_one.then(|| UpdateMessage::Descriptor { detail: bounded(message) })
}

/// `-[SUOSUManagedServiceDaemon performEnforcementIfNeededWithCompletionBlock:]: Enforcing past-due OS update with install
/// date Thu Nov 13 08:59:56 2025` (26)
fn enforcing(message: &str) -> Option<UpdateMessage> {
    let at = message.find("Enforcing past-due OS update with install date ")?;
    Some(UpdateMessage::Enforcing { detail: bounded(message.get(at..)?) })
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

/// `Previous System Version : 12.0.1 (21A559), Current System Version : 12.1 (21C52)` after an installation, anywhere in the
/// line; `(null)` where none is known. softwareupdated wrote it on 11.0.1, but any process may.
fn installed(message: &str) -> Option<UpdateMessage> {
    let (_, rest) = message.split_once("Previous System Version")?;
    let (before, current) = rest.split_once("Current System Version : ")?;
    match system(current)? {
        UpdateMessage::RunsBuild { version, build, .. } => {
            Some(UpdateMessage::RunsBuild { version, build, previous: build_in_brackets(before).map(bounded) })
        }
        _ => None,
    }
}

/// A version and its build in brackets: `14.1 (23B74)`, and for a rapid security response `13.3.1 (a) (22E772610a)`.
fn system(text: &str) -> Option<UpdateMessage> {
    let version: Box<str> = text.split_whitespace().next().filter(|word| is_version(word)).map(bounded)?;
    let build = build_in_brackets(text)?;
    Some(UpdateMessage::RunsBuild { version, build: bounded(build), previous: None })
}

fn build_in_brackets(text: &str) -> Option<&str> {
    text.split('(').skip(1).filter_map(|part| part.split(')').next()).find(|part| is_build(part))
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
