//! What softwareupdated says in the unified log. It writes tens of thousands of lines an hour, so only the messages that
//! are read are asked for.

use super::update::{Progress, ReportKind, Transition, UpdateError, UpdateMessage, squeezed};
use super::{Image, Program, Users, Wanted};
use super::{bounded, enforcement, status_report, update_event};
use crate::log::LogRecord;

pub const NAME: &str = "softwareupdated";

/// Another program of that name, in MobileSoftwareUpdate.framework, does not count.
pub static PROGRAM: Program = Program {
    name: NAME,
    image: Image::At("/System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated"),
    users: Users::System,
    wanted: Wanted {
        messages: &[
            "] Reported progress (",
            "[FSM(",
            "] perform_prepare_command | PrepareUpdate | PROGRESS",
            "] Querying for available updates with ",
            "] QueryNeRDUpdate completed ",
            "] MacUpdateBrain catalog ",
            "Starting scan with options: ",
            "Scan finished with error: ",
            "EnforcedInstallDate:",
            "SUCoreDDMDeclaration (",
            "Found DDM enforced install (",
            "Failed to add declaration: ",
            "MADownloadNoMatchFound",
            "pallasNoPMVMatchFound=true",
            "No updates found for DDM to enforce",
            status_report::WORDS,
        ],
        ..Wanted::ALL
    },
    recognise: |record: &LogRecord<'_>| Some(update_event(record, recognise(&record.message)?, NAME)),
};

/// What a message says.
fn recognise(message: &str) -> Option<UpdateMessage> {
    if let Some(rest) = message.strip_prefix("[FSM(") {
        return transition(rest).map(UpdateMessage::Transition);
    }
    let (tag, said) = tag(message);
    match tag {
        Some("SUMacControllerProgressManager") => progress(said).map(UpdateMessage::Progress),
        Some("SPI") => prepare(said),
        Some("RecoveryQueryUpdate") => recovery(said),
        Some("POLICY") => brain_query(said),
        _ => scan(said).or_else(|| status_report::recognise(message)).or_else(|| enforcement::recognise(said)),
    }
}

/// `[SPI] perform_prepare_command | …` into its tag and the rest.
fn tag(message: &str) -> (Option<&str>, &str) {
    match message.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((tag, rest)) => (Some(tag), rest.trim_start()),
        None => (None, message),
    }
}

/// `Reported progress (inter): phase:PREPARED_COMMITTING_STASH stalled:NO portionComplete:0.504500
/// estimatedTimeRemaining:-1.000000` (12.3 to 13.3.1), and with `totalWrittenBytes:4398971773
/// totalExpectedBytes:5552898056` before the estimate while it downloads (12.5). Only `stalled:NO` was ever seen.
fn progress(said: &str) -> Option<Progress> {
    let (report, rest) = said.strip_prefix("Reported progress (")?.split_once("): ")?;
    let report = match report {
        "start" => ReportKind::Start,
        "inter" => ReportKind::Inter,
        "end" => ReportKind::End,
        _ => return None,
    };
    progress_fields(report, rest)
}

/// What stands behind the head of a progress report.
pub fn progress_fields(report: ReportKind, rest: &str) -> Option<Progress> {
    let value = |label: &str| rest.split_whitespace().find_map(|word| word.strip_prefix(label));
    let stalled = match value("stalled:") {
        Some("YES") => Some(true),
        Some("NO") => Some(false),
        _ => None,
    };
    // Whole seconds; -1 means that there is no estimate.
    let seconds = |text: &str| text.split('.').next()?.parse().ok();
    Some(Progress {
        portion: value("portionComplete:").and_then(millionths),
        report,
        phase: bounded(value("phase:")?),
        stalled,
        written: value("totalWrittenBytes:").and_then(|bytes| bytes.parse().ok()),
        expected: value("totalExpectedBytes:").and_then(|bytes| bytes.parse().ok()),
        seconds_left: value("estimatedTimeRemaining:").and_then(seconds),
    })
}

/// `0.504500` in millionths, without floating point.
fn millionths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.')?;
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let portion = whole.parse::<u32>().ok()?.checked_mul(1_000_000)?.checked_add(digits.parse().ok()?)?;
    (portion <= 1_000_000).then_some(portion)
}

/// Behind `[FSM(`, on 13.4: `SUMacControllerScanManager)] >S> ScanReadyToBegin >E> ScanForSUUpdates >N>
/// ScanningForSoftwareUpdates >A> ScanForSoftwareUpdates info:[>>>`, with a dump of some 35 lines behind it, and
/// `scan[0BD2448F-97DA-4F43-A793-D68C33B5682F])] >S> Idle >E> CheckForAvailableUpdate >N> DownloadingSUCatalog >A>
/// DownloadSUCatalog`. On 27: `>S> ReadyToBegin >E> RequestDownloadUpdate`, without the next state.
fn transition(rest: &str) -> Option<Transition> {
    let (machine, steps) = rest.split_once(")]")?;
    let (mut from, mut event, mut to, mut action) = (None, None, None, None);
    let mut words = steps.split_whitespace();
    while let Some(mark) = words.next() {
        match mark {
            ">S>" => from = words.next(),
            ">E>" => event = words.next(),
            ">N>" => to = words.next(),
            ">A>" => action = words.next(),
            // What else is known of the machine, `info:[>>> …`.
            _ => break,
        }
    }
    // A step that leaves the machine where it is, as while a download goes on, is none.
    if to == from {
        return None;
    }
    Some(Transition {
        machine: bounded(machine),
        from: bounded(from?),
        event: bounded(event?),
        to: to.map(bounded),
        action: action.map(bounded),
    })
}

/// `perform_prepare_command | PrepareUpdate | PROGRESS (Continue) | state:<private>` (13.4)
fn prepare(said: &str) -> Option<UpdateMessage> {
    let mut parts = said.split('|').map(str::trim);
    let continues = parts.next() == Some("perform_prepare_command")
        && parts.next() == Some("PrepareUpdate")
        && parts.next().is_some_and(|part| part.starts_with("PROGRESS"));
    continues.then_some(UpdateMessage::PrepareContinues)
}

/// `Querying for available updates with targetMainOSVersion:13.5 targetMainOSBuild:22G74 options:{` and
/// `QueryNeRDUpdate completed with updateAttributes: (null) required:NO info:{ … } error:(null)` (13.4)
fn recovery(said: &str) -> Option<UpdateMessage> {
    let words = squeezed(said);
    let asked = words.starts_with("Querying for available updates with ").then(|| words.split(" options:").next());
    let answered = words.starts_with("QueryNeRDUpdate completed ").then_some(words.as_str());
    asked.flatten().or(answered).map(|detail| UpdateMessage::RecoveryQuery { detail: bounded(detail) })
}

/// `MacUpdateBrain catalog downloadOptions: MADownloadOptions allowsCellular: 0 …` (13.4)
fn brain_query(said: &str) -> Option<UpdateMessage> {
    said.starts_with("MacUpdateBrain catalog ").then(|| UpdateMessage::BrainQuery { detail: bounded(&squeezed(said)) })
}

/// `Starting scan with options: Background=0, MDMInitiated=1, requestedPMV=27.0.1` (27), and `Scan finished with error:
/// Error Domain=SUMacControllerError Code=7507 "[SUMacControllerErrorAccessRequestDenied=7507] Access request was
/// denied"`.
pub fn scan(said: &str) -> Option<UpdateMessage> {
    if let Some(options) = said.strip_prefix("Starting scan with options: ") {
        return Some(UpdateMessage::ScanStarted {
            version: enforcement::requested_version(options),
            detail: bounded(&squeezed(options)),
        });
    }
    // `SUScan: Error encountered in scan: Error Domain=NSURLErrorDomain Code=-1009 …` and `Scan got error Can't connect to the
    // Apple Software Update server` (26)
    let said = said.strip_prefix("SUScan: ").unwrap_or(said);
    let heads = ["Scan finished with error: ", "Error encountered in scan: ", "Scan got error "];
    heads.iter().find_map(|head| said.strip_prefix(head)).map(|words| UpdateMessage::ScanFailed(error(words)))
}

/// `Error Domain=NSURLErrorDomain Code=-1005 "The network connection was lost." UserInfo={… SUErrorRelatedCode=…}`,
/// which may hold further errors within its braces: only the outermost counts.
pub fn error(words: &str) -> UpdateError {
    let words = squeezed(words);
    let parts = || {
        let (domain, rest) = words.strip_prefix("Error Domain=")?.split_once(" Code=")?;
        let (code, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let text = rest
            .strip_prefix('"')
            .and_then(|rest| rest.split_once("\" UserInfo=").map(|(text, _)| text).or(rest.strip_suffix('"')));
        Some(UpdateError {
            domain: Some(bounded(domain)),
            code: Some(code.parse().ok()?),
            text: bounded(text.unwrap_or(rest)),
        })
    };
    parts().unwrap_or_else(|| UpdateError { domain: None, code: None, text: bounded(&words) })
}
