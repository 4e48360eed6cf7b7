//! OS updates in captures that other people published, where they are present beside the project.

use crate::support::{Row, capture, findings, rows, time};
use chrono::{Local, NaiveDateTime};
use mdm_health::event::update::{ReportKind, UpdateMessage};
use mdm_health::facts::{ddm_state, software_update_preferences};
use mdm_health::health::Findings;
use mdm_health::health::updates::timeline::TimelineKind;
use mdm_health::property_list;
use mdm_health::vocabulary::Time;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const CONSOLE: &str = "log/schedule-os-update-13.4-to-13.5.console.txt";
const PROGRESS: [&str; 2] = [
    "log/mdm-update-12.3-to-13.3.softwareupdated.compact.log",
    "log/mdm-update-13.0-to-13.3.1.softwareupdated.compact.log",
];

/// The slide deck from which the Console export comes. It has the first three lines of the list, which the export lacks.
fn deck() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference/000_102cc1c3117ea499.txt");
    path.exists().then_some(path)
}

/// A capture folder with these files below its root.
fn folder(now: &str, files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("capture.json"), format!("{{\"captured_at\": \"{now}\"}}")).unwrap();
    for (path, bytes) in files {
        let path = folder.path().join("root").join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn source(findings: &Findings, name: &str) -> Row {
    rows(findings, "mdm_health_status").into_iter().find(|row| row.text("source") == Some(name)).unwrap()
}

/// A compact log has no offset: its times are in this machine's zone.
fn local(text: &str) -> Option<Time> {
    let local = NaiveDateTime::parse_from_str(text, "%F %T%.f").unwrap();
    Some(local.and_local_timezone(Local).unwrap().to_utc())
}

fn assert_item(update: &Row) {
    assert_eq!((update.text("version"), update.text("build")), (Some("13.5"), Some("22G74")));
    assert_eq!((update.text("kind"), update.number("download_size")), (Some("minor"), Some(1_556_959_678)));
    assert_eq!((update.number("restart_required"), update.number("allows_install_later")), (Some(1), Some(1)));
    assert_eq!((update.number("deferred"), update.number("deferred_until")), (Some(0), None));
    assert_eq!(update.number("critical"), Some(0));
    assert_eq!(update.text("phase"), Some("preparing"));
}

#[test]
fn the_deck_lists_one_update_with_its_product_key() {
    let Some(deck) = deck() else { return };
    let updates = rows(&findings(&deck), "os_update_status");
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0].text("product_key"), Some("MSU_UPDATE_22G74_patch_13.5_minor"));
    assert_eq!(updates[0].text("title"), Some("macOS Ventura 13.5"));
    assert_item(&updates[0]);
}

#[test]
fn the_console_export_starts_after_the_product_key_and_names_none() {
    let Some(log) = capture(CONSOLE) else { return };
    assert!(!fs::read_to_string(&log).unwrap().contains("MSU_UPDATE"), "the export does not hold the key");
    let updates = rows(&findings(&log), "os_update_status");
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0].text("product_key"), None);
    assert_item(&updates[0]);
}

#[test]
fn the_console_export_shows_the_steps_of_the_scan_machines_and_the_brain() {
    let Some(log) = capture(CONSOLE) else { return };
    let findings = findings(&log);
    let events = rows(&findings, "os_update_events");
    let steps: Vec<String> = (events.iter().filter(|event| event.text("kind") == Some("transition")))
        .map(|event| {
            ["machine", "from_state", "event", "to_state", "action"].map(|column| event.shown(column)).join(" ")
        })
        .collect();
    assert_eq!(
        steps,
        [
            "SUMacControllerScanManager ScanReadyToBegin ScanForSUUpdates ScanningForSoftwareUpdates ScanForSoftwareUpdates",
            "scan[0BD2448F-97DA-4F43-A793-D68C33B5682F] Idle CheckForAvailableUpdate DownloadingSUCatalog DownloadSUCatalog",
        ]
    );
    let brain: Vec<_> = events.iter().filter_map(|event| event.number("percent")).collect();
    assert_eq!(brain, [17, 18]);
    assert!(
        events.iter().any(|event| event.shown("detail").contains("required:NO")),
        "the answer about the recovery system"
    );
}

#[test]
fn both_real_progress_logs_give_their_reports_and_nothing_else() {
    for (name, reports) in PROGRESS.into_iter().zip([49, 2]) {
        let Some(log) = capture(name) else { return };
        let findings = findings(&log);
        let progress = |entry: &&mdm_health::health::updates::timeline::TimelineEntry| {
            matches!(entry.what, TimelineKind::Message(UpdateMessage::Progress(_)))
        };
        assert_eq!(findings.update_timeline.iter().filter(progress).count(), reports, "{name}");
        assert_eq!(findings.update_timeline.len(), reports, "{name}: the line that names the predicate is none");
        assert_eq!(source(&findings, "unified_log").number("lines_not_understood"), Some(0), "{name}");
    }
}

#[test]
fn the_stages_of_the_first_real_log_are_right_to_the_millisecond() {
    let Some(log) = capture(PROGRESS[0]) else { return };
    let findings = findings(&log);
    let [update] = findings.updates.as_slice() else { panic!("{:?}", findings.updates) };
    assert_eq!(
        (update.phase().map(|phase| phase.word()), update.percent, update.stalled),
        (Some("installing"), Some(1), Some(false))
    );
    assert_eq!(update.prepared_at, local("2023-03-29 20:20:14.411"));
    assert_eq!(update.install_started_at, local("2023-03-29 20:21:15.432"));
    assert_eq!(update.last_event_at, local("2023-03-29 20:21:15.432"));
    assert_eq!(update.attempts, 1);
    // Nothing that the log does not show.
    assert_eq!((&update.product_key, &update.version, update.offered_at), (&None, &None, None));
    assert_eq!((update.download_started_at, update.downloaded_at), (None, None));
    assert_eq!((update.installed_at, update.failed_at, update.command_received_at), (None, None, None));
}

#[test]
fn the_reports_of_the_first_real_log_keep_their_order_and_their_kinds() {
    let Some(log) = capture(PROGRESS[0]) else { return };
    let findings = findings(&log);
    let text = fs::read_to_string(&log).unwrap();
    let logged: Vec<(&str, &str)> = (text.lines().filter(|line| line.contains("] Reported progress (")))
        .map(|line| {
            let (_, rest) = line.split_once("Reported progress (").unwrap();
            let (report, rest) = rest.split_once("): phase:").unwrap();
            (report, rest.split(' ').next().unwrap())
        })
        .collect();
    let read: Vec<(&str, &str)> = (findings.update_timeline.iter())
        .map(|entry| match &entry.what {
            TimelineKind::Message(UpdateMessage::Progress(progress)) => {
                let report = match progress.report {
                    ReportKind::Start => "start",
                    ReportKind::Inter => "inter",
                    ReportKind::End => "end",
                };
                (report, &*progress.phase)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(read, logged);
}

#[test]
fn the_second_real_log_ends_while_the_prepared_update_is_committed() {
    let Some(log) = capture(PROGRESS[1]) else { return };
    let findings = findings(&log);
    let [update] = findings.updates.as_slice() else { panic!("{:?}", findings.updates) };
    assert_eq!((update.phase().map(|phase| phase.word()), update.percent), (Some("prepared"), Some(1)));
    assert_eq!(update.prepared_at, local("2023-05-03 14:56:22.788"), "first reported to be prepared");
    assert_eq!((update.download_started_at, update.install_started_at, update.installed_at), (None, None, None));
}

#[test]
fn a_real_install_log_gives_its_scan_and_its_product_and_nothing_from_the_dumps() {
    let Some(log) = capture("install-log/softwareupdated_macos13.4_2023-08-02_excerpt.log") else { return };
    let bytes = fs::read(log).unwrap();
    let heads = String::from_utf8_lossy(&bytes).lines().filter(|line| line.starts_with("2023-")).count();
    let folder = folder("2023-08-02T10:00:00Z", &[("/private/var/log/install.log", &bytes)]);
    let findings = findings(folder.path());
    let events: Vec<_> = (rows(&findings, "os_update_events").iter())
        .map(|event| {
            (event.number("at").unwrap(), event.shown("kind"), event.shown("product_key"), event.shown("detail"))
        })
        .collect();
    let at = time("2023-08-02T09:15:13Z").timestamp();
    let key = "MSU_UPDATE_22G74_patch_13.5_minor";
    assert_eq!(
        events,
        [
            (at, "scan".to_owned(), "-".to_owned(), "Scan (f=1, d=0) completed".to_owned()),
            (at, "scan".to_owned(), key.to_owned(), format!("found {key}")),
            (at, "scan".to_owned(), key.to_owned(), format!("new: {key}")),
            (
                at,
                "scan".to_owned(),
                "-".to_owned(),
                "Descriptor has changed since previous download (13.5 vs 13.4.1)".to_owned()
            ),
        ]
    );
    let updates = rows(&findings, "os_update_status");
    assert_eq!(updates.len(), 1);
    assert_eq!((updates[0].text("product_key"), updates[0].text("phase")), (Some(key), Some("offered")));
    assert_eq!((updates[0].number("offered_at"), updates[0].text("source")), (Some(at), Some("install_log")));
    let status = source(&findings, "install_log");
    assert_eq!((status.text("state"), status.number("records_read")), (Some("ok"), i64::try_from(heads).ok()));
    assert_eq!((status.number("lines_skipped"), status.number("lines_not_understood")), (Some(0), Some(0)));
}

fn settings(path: &str, bytes: &[u8]) -> (Findings, TempDir) {
    let folder = folder("2026-10-01T12:00:00Z", &[(path, bytes)]);
    (findings(folder.path()), folder)
}

#[test]
fn both_real_ddm_states_are_read_in_full() {
    for (name, declarations, settings_id) in [
        ("ddm/SoftwareUpdateDDMStatePersistence.macos14.2.1.no-declaration.defaults-read.txt", Some(0), None),
        (
            "ddm/SoftwareUpdateDDMStatePersistence.macos26.2.globalsettings.plist",
            None,
            Some("Blueprint_3719eede-2425-4a6d-8b9c-220eb330ad64_s1_c1_sys_cfg1"),
        ),
    ] {
        let Some(file) = capture(name) else { return };
        let (findings, _folder) = settings(ddm_state::PATH, &fs::read(file).unwrap());
        assert_eq!(source(&findings, "ddm_state").text("state"), Some("ok"), "{name}");
        let row = &rows(&findings, "os_update_settings")[0];
        assert_eq!(
            (row.number("ddm_declarations"), row.text("ddm_settings_ids")),
            (declarations, settings_id),
            "{name}"
        );
        if settings_id.is_some() {
            let columns = [
                "admin_install_required",
                "automatic_download",
                "automatic_install_macos",
                "automatic_install_security",
                "notifications",
                "rapid_security_response",
                "rapid_security_response_rollback",
            ];
            for column in columns {
                assert_eq!(row.number(&format!("ddm_{column}")), Some(1), "{column}");
            }
        }
    }
}

/// A preferences file from one of the captures, whose excerpt lacks the outer braces.
fn preferences(name: &str) -> Option<Vec<u8>> {
    let text = fs::read_to_string(capture(name)?).unwrap();
    Some(if name.contains("excerpt") { format!("{{\n{text}}}\n").into_bytes() } else { text.into_bytes() })
}

#[test]
fn all_four_real_preferences_are_read_in_full() {
    let read = |name: &str| {
        let (findings, _folder) = settings(software_update_preferences::PATH, &preferences(name)?);
        assert_eq!(source(&findings, "software_update_preferences").text("state"), Some("ok"), "{name}");
        Some(findings)
    };
    let Some(catalina) = read("softwareupdate/com.apple.SoftwareUpdate.macos10.15.7.defaults-read.txt") else { return };
    let row = &rows(&catalina, "os_update_settings")[0];
    assert_eq!(row.number("last_successful_scan_at"), Some(time("2020-10-10T14:14:38Z").timestamp()));
    assert_eq!(row.number("last_background_scan_at"), Some(time("2020-10-10T06:15:40Z").timestamp()));
    assert_eq!((row.number("last_result_code"), row.number("last_session_successful")), (Some(2), Some(1)));
    assert_eq!((row.number("updates_available"), row.number("automatic_install_macos")), (Some(0), Some(1)));
    assert!(catalina.updates.is_empty());

    let sequoia = read("softwareupdate/com.apple.SoftwareUpdate.macos15.retrying.fixture.txt").unwrap();
    let row = &rows(&sequoia, "os_update_settings")[0];
    assert_eq!((row.number("automatic_check"), row.number("recommended_updates_available")), (Some(1), Some(1)));
    let offered = &sequoia.evidence.preferences.known().unwrap().first_offered;
    assert_eq!(offered, &[("MSU_UPDATE_24G830_patch_15.7.9_minor".to_owned(), time("2026-08-24T09:55:06Z"))]);

    let tahoe = read("softwareupdate/com.apple.SoftwareUpdate.macos26.5.2.plutil-json.json").unwrap();
    let updates: Vec<_> = (rows(&tahoe, "os_update_status").iter())
        .map(|update| ["title", "version", "kind", "phase"].map(|column| update.shown(column)).join(" | "))
        .collect();
    assert_eq!(
        updates,
        [
            "Safari | 27.0 | app | offered",
            "macOS Tahoe 26.7 | 26.7 | minor | offered",
            // Its Display Version is the number 27; the product key has the full version.
            "macOS 27 | 27.0 | major | offered",
        ]
    );

    let failing = read("softwareupdate/com.apple.SoftwareUpdate.macos26.ddm-error.excerpt.txt").unwrap();
    let row = &rows(&failing, "os_update_enforcement")[0];
    assert_eq!((row.number("failure_count"), row.text("failure_reason")), (Some(299), Some("Software update failed.")));
    assert_eq!(row.number("failed_at"), Some(time("2026-09-01T16:06:48Z").timestamp()));
    assert_eq!((row.text("declaration_id"), row.text("state")), (None, Some("unknown")));
    let row = &rows(&failing, "os_update_settings")[0];
    assert_eq!(row.text("auto_install_product_keys"), Some("MSU_UPDATE_25F71_patch_26.5_major"));
}

#[test]
fn truncated_real_property_lists_give_an_error() {
    let Some(file) = capture("ddm/SoftwareUpdateDDMStatePersistence.macos26.2.globalsettings.plist") else { return };
    let bytes = fs::read(file).unwrap();
    for length in (0..bytes.len() - 10).step_by(97) {
        let why = property_list::parse(&bytes[..length]).unwrap_err();
        assert!(why.len() > 10, "{length}: {why}");
    }
}
