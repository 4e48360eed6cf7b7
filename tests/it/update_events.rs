//! Log lines about OS updates: each pattern on the line it was written for, in every style in which it occurs.

use crate::support::fake_mac::FakeMac;
use crate::support::time;
use mdm_health::event::update::{
    EnforcedDeclaration, Progress, ReportKind, Standing, Transition, UpdateError, UpdateMessage,
};
use mdm_health::event::{self};
use mdm_health::host::{Host, Live};
use mdm_health::vocabulary::Span;
use proptest::prelude::*;

use crate::support::update_lines::{BRAIN, installed, mdmclient, said_by, softwareupdated};

// softwareupdated in the unified log.

#[test]
fn a_progress_report_is_read_in_millionths() {
    let line = "[SUMacControllerProgressManager] Reported progress (inter): phase:PREPARED_COMMITTING_STASH stalled:NO portionComplete:0.504500 estimatedTimeRemaining:-1.000000";
    let progress = |portion, report, stalled| {
        Some(UpdateMessage::Progress(Progress {
            portion,
            report,
            phase: "PREPARED_COMMITTING_STASH".into(),
            stalled,
            written: None,
            expected: None,
            seconds_left: None,
        }))
    };
    assert_eq!(softwareupdated(line), progress(Some(504_500), ReportKind::Inter, Some(false)));
    assert_eq!(softwareupdated(&line.replace("NO", "YES")), progress(Some(504_500), ReportKind::Inter, Some(true)));
    assert_eq!(
        softwareupdated(&line.replace("0.504500", "1.000000")),
        progress(Some(1_000_000), ReportKind::Inter, Some(false))
    );
    for portion in ["2.000000", "-1.000000", "nan", ""] {
        assert_eq!(
            softwareupdated(&line.replace("0.504500", portion)),
            progress(None, ReportKind::Inter, Some(false)),
            "{portion}"
        );
    }
    assert_eq!(softwareupdated(&line.replace("inter", "middle")), None);
}

fn transition(machine: &str, from: &str, event: &str, to: Option<&str>, action: Option<&str>) -> Option<UpdateMessage> {
    Some(UpdateMessage::Transition(Transition {
        machine: machine.into(),
        from: from.into(),
        event: event.into(),
        to: to.map(Into::into),
        action: action.map(Into::into),
    }))
}

#[test]
fn transitions_are_read_with_and_without_an_instance_a_next_state_and_a_dump() {
    assert_eq!(
        softwareupdated(
            "[FSM(SUMacControllerScanManager)] >S> ScanReadyToBegin >E>\nScanForSUUpdates >N> ScanningForSoftwareUpdates >A> ScanForSoftwareUpdates info:[>>>\n    Version(scanUUID:0BD2448F|scanFailed:NO)\n>S> x >E> y\n<<<]"
        ),
        transition(
            "SUMacControllerScanManager",
            "ScanReadyToBegin",
            "ScanForSUUpdates",
            Some("ScanningForSoftwareUpdates"),
            Some("ScanForSoftwareUpdates")
        )
    );
    assert_eq!(
        softwareupdated(
            "[FSM(scan[0BD2448F-97DA-4F43-A793-D68C33B5682F])] >S> Idle >E> CheckForAvailableUpdate >N> DownloadingSUCatalog >A> DownloadSUCatalog"
        ),
        transition(
            "scan[0BD2448F-97DA-4F43-A793-D68C33B5682F]",
            "Idle",
            "CheckForAvailableUpdate",
            Some("DownloadingSUCatalog"),
            Some("DownloadSUCatalog")
        )
    );
    assert_eq!(
        softwareupdated("[FSM(update)] >S> ReadyToBegin >E> RequestDownloadUpdate"),
        transition("update", "ReadyToBegin", "RequestDownloadUpdate", None, None)
    );
    assert_eq!(
        softwareupdated("[FSM(update)] >S> Downloading >E> Progress >N> Downloading >A> Report"),
        None,
        "it stays"
    );
    assert_eq!(softwareupdated("[FSM(update)] >S> Downloading"), None);
}

#[test]
fn a_scan_error_is_the_outermost_error() {
    let failed = |domain: &str, code, text: &str| {
        Some(UpdateMessage::ScanFailed(UpdateError {
            domain: Some(domain.into()),
            code: Some(code),
            text: text.into(),
        }))
    };
    assert_eq!(
        softwareupdated(
            "Scan finished with error: Error Domain=SUMacControllerError Code=7507 \"[SUMacControllerErrorAccessRequestDenied=7507] Access request was denied\""
        ),
        failed(
            "SUMacControllerError",
            7507,
            "[SUMacControllerErrorAccessRequestDenied=7507] Access request was denied"
        )
    );
    assert_eq!(
        softwareupdated(
            "Scan finished with error: Error Domain=NSURLErrorDomain Code=-1005 \"The network connection was lost.\" UserInfo={NSUnderlyingError=0x1 {Error Domain=kCFErrorDomainCFNetwork Code=-1 \"(null)\" UserInfo={a=b}}, SUErrorRelatedCode=SUErrorCodeScanCatalogNotFound}"
        ),
        failed("NSURLErrorDomain", -1005, "The network connection was lost.")
    );
    assert_eq!(
        softwareupdated("Scan finished with error: no idea"),
        Some(UpdateMessage::ScanFailed(UpdateError { domain: None, code: None, text: "no idea".into() }))
    );
}

#[test]
fn queries_and_the_preparation_are_read() {
    assert_eq!(
        softwareupdated(
            "[RecoveryQueryUpdate] Querying for available updates with targetMainOSVersion:13.5 targetMainOSBuild:22G74 options:{\n foreground = 1;\n"
        ),
        Some(UpdateMessage::RecoveryQuery {
            detail: "Querying for available updates with targetMainOSVersion:13.5 targetMainOSBuild:22G74".into()
        })
    );
    assert_eq!(
        softwareupdated("[SPI] perform_prepare_command | PrepareUpdate | PROGRESS (Continue) |\nstate:<private>"),
        Some(UpdateMessage::PrepareContinues)
    );
    assert!(matches!(
        softwareupdated("[POLICY] MacUpdateBrain catalog downloadOptions: MADownloadOptions"),
        Some(UpdateMessage::BrainQuery { .. })
    ));
    assert_eq!(
        softwareupdated("Starting scan with options: Background=0, MDMInitiated=1, requestedPMV=27.0.1"),
        Some(UpdateMessage::ScanStarted {
            version: Some("27.0.1".into()),
            detail: "Background=0, MDMInitiated=1, requestedPMV=27.0.1".into()
        })
    );
    for message in ["[RecoveryOSManager] SPI: Starting new recoveryOS update", "[scan]startCatalogDownload... (su)", ""]
    {
        assert_eq!(softwareupdated(message), None, "{message}");
    }
}

#[test]
fn only_the_image_path_identifies_softwareupdated_and_the_brain() {
    let line = "[SUMacControllerProgressManager] Reported progress (end): phase:PREPARED stalled:NO portionComplete:0.999000 estimatedTimeRemaining:-1";
    assert!(softwareupdated(line).is_some());
    assert_eq!(said_by("/tmp/softwareupdated", line), None);
    let brain = "6d41b000 : Cryptex patch progress: 17%";
    let said = Some(UpdateMessage::BrainProgress { step: "Cryptex patch".into(), percent: 17 });
    assert_eq!(said_by(&format!("/System/Library/X.framework/Versions/A/{BRAIN}"), brain), said);
    assert_eq!(said_by(&format!("/System/Library/X/{BRAIN}"), &brain.replace("progress: ", "\nprogress: ")), said);
    for image in ["/tmp", "/Users/x/System/Library", "/System/Library/../../tmp"] {
        assert_eq!(said_by(&format!("{image}/{BRAIN}"), brain), None, "{image}");
    }
    assert_eq!(said_by(&format!("/System/Library/{BRAIN}"), "6d41b000 : Cryptex patch progress: 170%"), None);
}

// Enforcement, in both logs.

const DECLARATION: &str = "SUCoreDDMDeclaration (DeclarationKey:k/1:aWQ=.dG9rZW4=|EnforcedInstallDate:2026-08-21T13:00:00|VersionString:26.6.2|BuildVersionString:(null)|DetailsURL:https://it.example.com/a|companyName:(null)|NotificationsEnabled:YES)";

fn declaration() -> Box<EnforcedDeclaration> {
    Box::new(EnforcedDeclaration {
        key: Some("k/1:aWQ=.dG9rZW4=".into()),
        deadline: Some("2026-08-21T13:00:00".into()),
        version: Some("26.6.2".into()),
        build: None,
        details_url: Some("https://it.example.com/a".into()),
    })
}

#[test]
fn a_declaration_is_read_in_each_role_and_from_both_logs() {
    for (before, standing) in [
        (
            "-[SUOSUManagedServiceDaemon declarationFromKeys]: Falling back to default applicable declaration: ",
            Standing::Fallback,
        ),
        (
            "-[SUOSUManagedServiceDaemon declarationFromKeys]: Found currently applicable declaration: ",
            Standing::Applicable,
        ),
        ("Adding ", Standing::Added),
        ("something else: ", Standing::Mentioned),
    ] {
        let said = Some(UpdateMessage::Declared { standing, declaration: declaration() });
        let line = format!("{before}{DECLARATION}");
        assert_eq!(softwareupdated(&line), said, "{before}");
        assert_eq!(installed("softwareupdated", &line), said, "{before}");
        assert_eq!(installed("Installer Progress", &line), None, "{before}");
    }
}

#[test]
fn a_build_is_not_taken_for_a_version_and_the_last_field_loses_its_bracket() {
    let line = "Found DDM enforced install (DeclarationKey:k|BuildVersionString:25G229|VersionString:26.7|EnforcedInstallDate:2026-10-05T18:00:00Z)";
    let Some(UpdateMessage::Declared { standing, declaration }) = softwareupdated(line) else {
        panic!("no declaration")
    };
    assert_eq!(standing, Standing::Enforced);
    assert_eq!((declaration.build.as_deref(), declaration.version.as_deref()), (Some("25G229"), Some("26.7")));
    assert_eq!(declaration.deadline.as_deref(), Some("2026-10-05T18:00:00Z"));
}

#[test]
fn a_refused_declaration_is_rejected_not_declared() {
    let line = format!("Failed to add declaration: {DECLARATION} Invalid declaration: no date");
    let Some(UpdateMessage::Rejected { declaration, .. }) = installed("softwareupdated", &line) else {
        panic!("not rejected")
    };
    assert_eq!(declaration.version.as_deref(), Some("26.6.2"));
}

#[test]
fn no_match_for_a_declaration_differs_from_a_scan_that_finds_nothing() {
    let no_match = |message| match softwareupdated(message) {
        Some(UpdateMessage::NoMatch { version, enforced, .. }) => {
            Some((version.as_deref().map(str::to_owned), enforced))
        }
        _ => None,
    };
    assert_eq!(no_match("requestedPMV=27.0.1, pallasNoPMVMatchFound=true"), Some((Some("27.0.1".to_owned()), true)));
    assert_eq!(no_match("No updates found for DDM to enforce"), Some((None, true)));
    assert_eq!(no_match("catalog result MADownloadNoMatchFound"), Some((None, false)));
    assert_eq!(no_match("No available updates found. Please try again later."), None);
    assert_eq!(no_match("pallasNoPMVMatchFound=false"), None);
}

// install.log.

#[test]
fn install_log_tells_the_updates_found_and_the_running_build() {
    let found = "MSU updates found: (\n\t    \"<SUOSUProduct: MSU_UPDATE_22G74_patch_13.5_minor>\",\n\t    \"<SUOSUProduct: MSU_UPDATE_23A344_patch_14.0_major>\"\n\t)";
    let keys = ["MSU_UPDATE_22G74_patch_13.5_minor", "MSU_UPDATE_23A344_patch_14.0_major"].map(Into::into);
    assert_eq!(installed("softwareupdated", found), Some(UpdateMessage::Found { product_keys: keys.to_vec() }));
    assert_eq!(
        installed("softwareupdated", "MSU updates found: (\n\t)"),
        Some(UpdateMessage::Found { product_keys: vec![] })
    );
    assert_eq!(installed("softwareupdated", "MSU updates found: (\n\t    \"<SUOSUProduct: MSU_"), None, "cut off");
    let runs = |version: &str, build: &str| {
        Some(UpdateMessage::RunsBuild { version: version.into(), build: build.into(), previous: None })
    };
    assert_eq!(
        installed("softwareupdated", "softwareupdated: Starting with build 14.1 (23B74)"),
        runs("14.1", "23B74")
    );
    assert_eq!(
        installed("softwareupdated", "Starting with build 13.3.1 (a) (22E772610a)"),
        runs("13.3.1", "22E772610a")
    );
    assert_eq!(
        installed(
            "Installer Progress",
            "Previous System Version : 13.4 (22F66), Current System Version : 13.5 (22G74)"
        ),
        Some(UpdateMessage::RunsBuild {
            version: "13.5".into(),
            build: "22G74".into(),
            previous: Some("22F66".into())
        })
    );
    assert_eq!(installed("logger", "Starting with build 99.9 (99Z99)"), None);
    assert_eq!(
        installed("softwareupdated", "SUOSUPostLogoutInstallOperation: Applied MSU update"),
        Some(UpdateMessage::Applied)
    );
}

#[test]
fn the_padded_deadline_is_in_the_offset_of_its_line() {
    assert_eq!(
        installed("softwareupdated", "setPastDuePaddedEnforcementDate is set: Thu Nov 13 08:59:56 2025"),
        Some(UpdateMessage::PaddedDeadline { at: time("2025-11-13T13:59:56Z") })
    );
    assert_eq!(installed("softwareupdated", "setPastDuePaddedEnforcementDate is set: soon"), None);
}

#[test]
fn other_lines_of_install_log_are_no_events() {
    for message in [
        "SUScan: Elapsed scan time = 4.5",
        "0 updates found:",
        "SoftwareUpdate: request for status for unknown product MSU_UPDATE_22G74_patch_13.5_minor",
        "Controller: Received availableUpdatesChanged notification; new updates: [MSU_UPDATE_22G74_patch_13.5_minor]",
        "SUOSUServiceDaemon: progressInfo = {\n    progress = 100;\n}",
    ] {
        assert_eq!(installed("softwareupdated", message), None, "{message}");
    }
}

// The live log.

#[test]
fn the_live_log_is_asked_for_everything_read_from_softwareupdated_and_the_brain() {
    let mac = FakeMac::new();
    mac.command("/usr/bin/log", "");
    let now = time("2026-11-23T18:00:00Z");
    drop(
        Live::new(mac.root().to_owned(), Some(now))
            .open_log(Span { from: now, to: now }, &event::predicate())
            .map(|log| log.finish()),
    );
    let call = mac.calls("/usr/bin/log").remove(0);
    let (_, predicate) = call.split_once("--predicate ").unwrap();
    assert!(
        predicate.contains("process == \"softwareupdated\" AND (")
            && predicate.contains(&format!("process == \"{BRAIN}\""))
    );
    let unquoted: String = predicate.split('"').step_by(2).collect();
    assert_eq!(unquoted.matches('(').count(), unquoted.matches(')').count(), "{unquoted}");
    let wanted: Vec<&str> =
        predicate.split("CONTAINS \"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for message in [
        "[SUMacControllerProgressManager] Reported progress (start): phase:READY",
        "[FSM(SUMacControllerScanManager)] >S> a >E> b",
        "[SPI] perform_prepare_command | PrepareUpdate | PROGRESS (Continue) | state:<private>",
        "[RecoveryQueryUpdate] Querying for available updates with targetMainOSVersion:13.5 options:{",
        "[RecoveryQueryUpdate] QueryNeRDUpdate completed with updateAttributes: (null)",
        "[POLICY] MacUpdateBrain catalog downloadOptions: MADownloadOptions",
        "Starting scan with options: Background=0",
        "Scan finished with error: Error Domain=X Code=1 \"\"",
        &format!("Adding {DECLARATION}"),
        "Found DDM enforced install (EnforcedInstallDate:2026-10-05T18:00:00)",
        "Failed to add declaration: x Invalid declaration: y",
        "MADownloadNoMatchFound",
        "pallasNoPMVMatchFound=true",
        "No updates found for DDM to enforce",
    ] {
        assert!(softwareupdated(message).is_some(), "{message} is no event");
        assert!(wanted.iter().any(|words| message.contains(words)), "{message} is not asked for");
    }
    assert!(wanted.iter().any(|words| "6d41b000 : Cryptex patch progress: 17%".contains(words)));
}

proptest! {
    #[test]
    fn no_message_panics(text in "\\PC{0,80}", pieces in proptest::collection::vec(
        prop_oneof![
            Just("[FSM("), Just(")] "), Just(">S> "), Just(">E> "), Just("[SPI] "), Just("Reported progress ("), Just("): "),
            Just("portionComplete:"), Just("0."), Just("Version: "), Just("<Build: "), Just("(Date: "), Just("|"), Just("(null)"),
            Just("EnforcedInstallDate:"), Just("Error Domain="), Just(" Code="), Just("\""), Just("MSU updates found: ("),
            Just("<SUOSUProduct: "), Just("Starting with build "), Just("é"), Just("1A1"), Just("("), Just(")"),
        ],
        0..12,
    )) {
        let pieces = pieces.concat();
        for message in [text.as_str(), &pieces] {
            let _ = (softwareupdated(message), mdmclient(message), said_by(&format!("/System/Library/{BRAIN}"), message));
            let _ = (installed("softwareupdated", message), installed("x", message));
        }
    }
}
