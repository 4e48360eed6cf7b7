//! What is recognised is fetched: the predicate of `log show` is put together from what each program's file wants, so each
//! line that a pattern knows has to pass it.

use mdm_health::event::{self, Program};
use mdm_health::log::{LogRecord, LogSender};
use std::borrow::Cow;

/// Lines that are recognised: who writes them, in which subsystem and category, and the message.
const LINES: &[(&str, &str, &str, &str)] = &[
    (
        "mdmclient",
        "com.apple.ManagedClient",
        "HTTPUtil",
        "[0:MDMDaemon:HTTPUtil:<0x6c0d>] >>>>> Sending HTTP request (PUT) [Idle] >>>>>",
    ),
    ("mdmclient", "com.apple.ManagedClient", "OSUpdate", "[0:MDMDaemon:OSUpdate:<0xbc25>] === OS Update Item ==="),
    ("remotemanagementd", "com.apple.remotemanagementd", "mdmConduit", "Got back from MDM: 200"),
    (
        "softwareupdated",
        "",
        "",
        "[SUMacControllerProgressManager] Reported progress (start): phase:READY stalled:NO portionComplete:0.1",
    ),
    ("softwareupdated", "", "", "[FSM(SUMacControllerScanManager)] >S> a >E> b >N> c"),
    (
        "softwareupdated",
        "",
        "",
        "[SPI] perform_prepare_command | PrepareUpdate | PROGRESS (Continue) | state:<private>",
    ),
    (
        "softwareupdated",
        "",
        "",
        "[RecoveryQueryUpdate] Querying for available updates with targetMainOSVersion:13.5 options:{",
    ),
    ("softwareupdated", "", "", "[RecoveryQueryUpdate] QueryNeRDUpdate completed with updateAttributes: (null)"),
    ("softwareupdated", "", "", "[POLICY] MacUpdateBrain catalog downloadOptions: MADownloadOptions"),
    ("softwareupdated", "", "", "Starting scan with options: Background=0, MDMInitiated=1, requestedPMV=27.0.1"),
    ("softwareupdated", "", "", "Scan finished with error: Error Domain=X Code=1 \"\""),
    (
        "softwareupdated",
        "",
        "",
        "Adding SUCoreDDMDeclaration (DeclarationKey:x|EnforcedInstallDate:2026-08-21T13:00:00|VersionString:26.6.2)",
    ),
    (
        "softwareupdated",
        "",
        "",
        "declarationFromKeys]: Found currently applicable declaration: x (EnforcedInstallDate:2026-08-21T13:00:00|VersionString:26.6.2)",
    ),
    (
        "softwareupdated",
        "",
        "",
        "Found DDM enforced install (EnforcedInstallDate:2026-08-21T13:00:00|VersionString:26.6.2)",
    ),
    ("softwareupdated", "", "", "Failed to add declaration: x. Invalid declaration: y"),
    ("softwareupdated", "", "", "result MADownloadNoMatchFound"),
    ("softwareupdated", "", "", "pallasNoPMVMatchFound=true"),
    ("softwareupdated", "", "", "No updates found for DDM to enforce"),
    ("com.apple.MobileSoftwareUpdate.UpdateBrainService", "", "", "6d41b000 : Cryptex patch progress: 17%"),
    ("com.apple.NRD.UpdateBrainService", "", "", "6d41b000 : Cryptex patch progress: 17%"),
    (
        "remotemanagementd",
        "com.apple.remotemanagementd",
        "mdmConduit",
        "Error while fetching object 2B3C (configuration): Error Domain=X Code=1",
    ),
    ("softwareupdated", "", "", "Reporting status {\n    \"softwareupdate.install-state\" = none;\n} (null)"),
    ("SoftwareUpdateSubscriber", "", "", "Reporting status {\n    \"softwareupdate.install-state\" = none;\n} (null)"),
    ("powerd", "com.apple.powerd", "sleepWake", "Entering Sleep state due to 'Maintenance Sleep'"),
    ("powerd", "powerd", "sleepWake", "Entering DarkWake state due to 'Clamshell Sleep'"),
    ("powerd", "com.apple.powerd", "sleepWake", "DarkWake from Deep Idle [CDNP]"),
    ("powerd", "com.apple.powerd", "sleepWake", "DarkWake to FullWake from Deep Idle [CDNVA]"),
    ("powerd", "com.apple.powerd", "sleepWake", "Wake from Deep Idle [CDNVA]"),
    (
        "apsd",
        "com.apple.apsd",
        "courier",
        "Received incoming push notification for topic: <private> but for a completely unknown token <private>",
    ),
];

fn record<'a>(&(name, subsystem, category, message): &'a (&str, &str, &str, &str)) -> LogRecord<'a> {
    LogRecord {
        at: chrono::DateTime::UNIX_EPOCH,
        sender: LogSender::Name(Cow::Borrowed(name)),
        uid: Some(0),
        level: None,
        pid: 7,
        thread: 8,
        subsystem: Cow::Borrowed(subsystem),
        category: Cow::Borrowed(category),
        message: Cow::Borrowed(message),
        boot: Cow::Borrowed(""),
        mach_time: 0,
    }
}

/// Whether the predicate's part of a program selects a line.
fn fetches(program: &Program, (name, subsystem, category, message): &(&str, &str, &str, &str)) -> bool {
    let wanted = &program.wanted;
    let any_or = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
    program.name == *name
        && any_or(wanted.subsystem, subsystem)
        && any_or(wanted.category, category)
        && (wanted.messages.is_empty() || wanted.messages.iter().any(|text| message.contains(text)))
}

#[test]
fn every_line_that_is_recognised_is_fetched() {
    for line in LINES {
        assert!(event::recognise(&record(line)).is_some(), "{line:?}");
        assert!(event::programs().iter().any(|program| fetches(program, line)), "{line:?}");
    }
}

#[test]
fn every_message_that_is_asked_for_fetches_a_line_that_is_recognised() {
    for program in event::programs() {
        assert!(LINES.iter().any(|line| fetches(program, line)), "{}", program.name);
        for text in program.wanted.messages {
            let of_it = |line: &&(&str, &str, &str, &str)| fetches(program, line) && line.3.contains(text);
            assert!(LINES.iter().any(|line| of_it(&line)), "{}: {text}", program.name);
        }
    }
}

#[test]
fn the_predicate_has_a_part_for_each_program() {
    let predicate = event::predicate();
    assert!(
        predicate.starts_with("process == \"mdmclient\" OR (process == \"remotemanagementd\" AND subsystem == "),
        "{predicate}"
    );
    for program in event::programs() {
        assert!(predicate.contains(&format!("process == \"{}\"", program.name)), "{}", program.name);
        for text in program.wanted.messages {
            assert!(!text.contains(['"', '\\']), "{text}");
            assert!(predicate.contains(&format!("eventMessage CONTAINS \"{text}\"")), "{text}");
        }
    }
    let unquoted: String = predicate.split('"').step_by(2).collect();
    assert_eq!(unquoted.matches('(').count(), unquoted.matches(')').count(), "{unquoted}");
    assert_eq!(predicate.matches('"').count() % 2, 0);
}
