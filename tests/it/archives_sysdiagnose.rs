//! A sysdiagnose gives what a Mac says of itself beside its log, and what it lacks is unknown.

use crate::archives_pieces::{Tar, gzip};
use crate::support::story::{Story, fixtures};
use crate::support::sysdiagnose::{NAME, RMD, sysdiagnose};
use crate::support::{Mac, Row, findings, rows};
use mdm_health::health::Findings;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// 2026-11-23T18:00:00Z, two minutes after the log's last record.
const MADE_AT: i64 = 1_795_456_800;

/// A Mac that woke, answered, and got a command that it never answered; its powerd speaks to the end.
fn story() -> Story {
    let story = fixtures().into_iter().find(|(one, _)| one == "update-command-never-answered").unwrap().1;
    let mut story = story.only(&["mdmclient"]);
    let first = story.0.iter().map(|line| line.at).min().unwrap();
    for (at, message) in [
        (first - 61_000_000_000, "Entering Sleep state due to 'Maintenance Sleep'"),
        (first - 60_000_000_000, "Wake from Deep Idle [CDNVA] : due to HID Activity"),
        ((MADE_AT - 10) * 1_000_000_000, "Wake reason: \"<private>\"  identity: \"<private>\""),
    ] {
        let mut line = story.0[0].clone();
        (line.at, line.pid) = (at, 77);
        line.image = "/System/Library/CoreServices/powerd.bundle/powerd".to_owned();
        (line.subsystem, line.category) = ("com.apple.powerd".to_owned(), "sleepWake".to_owned());
        line.message = message.to_owned();
        story.0.push(line);
    }
    story
}

fn made() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let made = sysdiagnose(folder.path(), &story(), MADE_AT);
    (folder, made)
}

fn tar(made: &Path) -> Vec<u8> {
    let files = mdm_health::host::pieces::files(made).unwrap();
    let name = |path: &Path| format!("{NAME}/{}", path.strip_prefix(made).unwrap().to_str().unwrap());
    files.iter().fold(Tar::default(), |tar, path| tar.pax(&name(path), &fs::read(path).unwrap())).end()
}

/// Writes a packed one.
pub fn packed(path: &Path) {
    let (_folder, made) = made();
    fs::write(path, gzip(&tar(&made))).unwrap();
}

fn status(findings: &Findings, source: &str) -> Row {
    rows(findings, "mdm_health_status").into_iter().find(|row| row.text("source") == Some(source)).unwrap()
}

fn shown(row: &Row, columns: &[&str]) -> String {
    columns.iter().map(|column| row.shown(column)).collect::<Vec<_>>().join(" ")
}

#[test]
fn it_says_which_macos_runs_and_that_the_mac_is_enrolled() {
    let (_folder, made) = made();
    let findings = findings(&made);
    let enrollment = rows(&findings, "mdm_enrollment").remove(0);
    assert_eq!(shown(&enrollment, &["enrolled", "state", "reason"]), "1 enrolled approval_unknown");
    assert_eq!(
        shown(&enrollment, &["server_url", "topic", "access_rights", "organization", "profile_identifier"]),
        "https://mdm.example.com/connect com.apple.mgmt.External.1 8191 Example com.example.mdm"
    );
    let watchdog = rows(&findings, "mdm_watchdog").remove(0);
    assert_eq!(shown(&watchdog, &["mdm_enrolled", "state", "reason"]), "1 stuck command_hung");
    assert_eq!(watchdog.number("checked_at"), Some(MADE_AT));
    let version = findings.evidence.system_version.known().unwrap();
    assert_eq!((version.version.as_str(), version.build.as_deref()), ("15.6.1", Some("24G90")));
    assert_eq!(shown(&status(&findings, "install_log"), &["state", "records_read"]), "ok 1");
}

#[test]
fn it_says_the_same_as_folder_tar_and_tar_gz() {
    let (folder, made) = made();
    let tar = tar(&made);
    let (plain, packed) = (folder.path().join("x.tar"), folder.path().join("x.tar.gz"));
    fs::write(&plain, &tar).unwrap();
    fs::write(&packed, gzip(&tar)).unwrap();
    let told = |source: &Path| {
        let findings = findings(source);
        [
            "mdm_watchdog",
            "mdm_enrollment",
            "mdm_commands_recent",
            "mdm_exchanges",
            "mdm_declarations",
            "os_update_events",
        ]
        .map(|table| format!("{:?}", rows(&findings, table)).replace(source.to_str().unwrap(), "SOURCE"))
    };
    let expected = told(&made);
    assert_eq!(told(&plain), expected);
    assert_eq!(told(&packed), expected);
}

#[test]
fn what_the_mac_knows_of_its_declarations() {
    let (_folder, made) = made();
    let user = RMD.replace("act-", "user-act-").replace("cfg-", "user-cfg-").replace("asset-", "user-asset-");
    fs::write(made.join("logs/rmd/rmd_inspect_user.txt"), user).unwrap();
    let findings = findings(&made);
    let columns = [
        "channel",
        "identifier",
        "type",
        "active",
        "valid",
        "reasons",
        "load_state",
        "server_token",
        "server_tokens_at",
        "consecutive_errors",
        "seen_at",
    ];
    let found: Vec<String> = rows(&findings, "mdm_declarations").iter().map(|row| shown(row, &columns)).collect();
    let of = |channel: &str, before: &str| {
        [
            format!("{channel} {before}act-1 com.apple.activation.simple 1 valid - loaded t-1 1795449600 2 {MADE_AT}"),
            format!(
                "{channel} {before}act-2 com.apple.activation.simple 0 - Error.PredicateFailed loaded - 1795449600 2 {MADE_AT}"
            ),
            format!(
                "{channel} {before}cfg-1 com.apple.configuration.passcode.settings 1 invalid \
                 Error.ConfigurationCannotBeApplied loaded t-3 1795449600 2 {MADE_AT}"
            ),
            format!("{channel} {before}asset-1 - 0 unknown Error.AssetCannotBeDownloaded - t-4 - - {MADE_AT}"),
        ]
    };
    assert_eq!(found, [of("device", ""), of("user", "user-")].concat());
    assert_eq!(status(&findings, "declarations").text("state"), Some("ok"));
}

#[test]
fn a_dump_that_is_cut_off_or_no_dump_is_not_understood() {
    let (_folder, made) = made();
    let dump = made.join("logs/rmd/rmd_inspect_system.txt");
    for text in ["", "rmd: not running\n", &RMD[..RMD.len() / 2], "{ Detail = { Report = { }; }; }"] {
        fs::write(&dump, text).unwrap();
        let findings = findings(&made);
        assert!(rows(&findings, "mdm_declarations").is_empty());
        let status = status(&findings, "declarations");
        assert_eq!(shown(&status, &["state", "reason"]), "error not_understood", "{text}");
        assert!(status.text("detail").unwrap().starts_with("logs/rmd/rmd_inspect_system.txt "));
    }
    // A user's dump that is damaged costs only that.
    fs::write(&dump, RMD).unwrap();
    fs::write(made.join("logs/rmd/rmd_inspect_user.txt"), "{").unwrap();
    let findings = findings(&made);
    assert_eq!(rows(&findings, "mdm_declarations").len(), 4);
    assert_eq!(shown(&status(&findings, "declarations"), &["state", "reason"]), "partial not_understood");
}

#[test]
fn of_any_other_mac_the_declarations_are_unknown_and_say_where_they_are() {
    let findings = Mac::at("2026-11-23T18:00:00Z").findings();
    assert!(rows(&findings, "mdm_declarations").is_empty());
    let status = status(&findings, "declarations");
    assert_eq!(shown(&status, &["state", "reason"]), "unavailable no_known_command");
    assert!(status.text("detail").unwrap().contains("sysdiagnose"));
}

#[test]
fn the_identity_is_unknown_and_says_why() {
    let (_folder, made) = made();
    let findings = findings(&made);
    for source in ["identities", "certificates"] {
        let status = status(&findings, source);
        assert_eq!(shown(&status, &["state", "reason"]), "unavailable not_captured");
        assert!(status.text("detail").unwrap().contains("does not contain the output of `/usr/bin/security find-"));
    }
    let identity = rows(&findings, "mdm_identity");
    assert_eq!(identity.len(), 1);
    assert_eq!(shown(&identity[0], &["state", "is_mdm_identity", "sha1"]), "unknown - -");
    assert!(identity[0].text("detail").unwrap().contains("sysdiagnose"), "{identity:?}");
    assert_eq!(rows(&findings, "mdm_watchdog")[0].number("mdm_identity_error"), None);
}

#[test]
fn each_missing_piece_is_unknown_with_a_sentence_and_never_a_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let whole = sysdiagnose(folder.path(), &story(), MADE_AT);
    let verdict = |source: &Path| {
        let row = rows(&findings(source), "mdm_watchdog").remove(0);
        (row.shown("state"), row.shown("reason"), row.shown("mdm_client_stuck"), row.shown("detail"))
    };
    let (state, reason, stuck, detail) = verdict(&whole);
    assert_eq!((state.as_str(), reason.as_str(), stuck.as_str()), ("stuck", "command_hung", "1"), "{detail}");

    let log = "system_logs.logarchive";
    for (piece, source, expected) in [
        ("SystemProfiler/SPConfigurationProfileDataType.spx", "profiles_list", "unknown enrollment_unknown"),
        (log, "unified_log", "unknown log_unreadable"),
        ("system_logs.logarchive/Persist", "unified_log", "unknown log_empty"),
        ("system_logs.logarchive/timesync", "unified_log", "unknown log_unreadable"),
        ("system_logs.logarchive/00", "unified_log", "unknown"),
        ("sw_vers.txt", "system_version", "stuck command_hung"),
        ("logs/install.log", "install_log", "stuck command_hung"),
        ("logs/rmd", "declarations", "stuck command_hung"),
        ("system_logs.logarchive/Info.plist", "", "stuck command_hung"),
    ] {
        let other = tempfile::tempdir().unwrap();
        let copy = sysdiagnose(other.path(), &story(), MADE_AT);
        let path = copy.join(piece);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap()
        } else {
            fs::remove_file(&path).unwrap_or_default()
        }
        let (state, reason, stuck, detail) = verdict(&copy);
        let found = format!("{state} {reason}");
        assert!(found.starts_with(expected), "{piece}: {found}: {detail}");
        assert!(state == "stuck" || stuck == "-" && !detail.is_empty(), "{piece}");
        if !source.is_empty() {
            let status = status(&findings(&copy), source);
            assert_ne!(status.text("state"), Some("ok"), "{piece}");
            assert!(status.text("detail").is_some_and(|detail| detail.len() > 20), "{piece}");
        }
    }
}

#[test]
fn without_a_time_in_the_log_its_name_says_when_it_was_made() {
    let (folder, made) = made();
    fs::remove_file(made.join("system_logs.logarchive/Info.plist")).unwrap();
    assert_eq!(findings(&made).evidence.now.timestamp(), MADE_AT);
    // Nothing but the last record is left to say it.
    let renamed = folder.path().join("from-a-ticket");
    fs::rename(made, &renamed).unwrap();
    let last = story().0.iter().map(|line| line.at).max().unwrap();
    assert_eq!(findings(&renamed).evidence.now.timestamp_nanos_opt(), Some(last));
    // Without a log, a file that is written along says it, as a folder and packed.
    fs::remove_dir_all(renamed.join("system_logs.logarchive")).unwrap();
    let version = fs::File::options().write(true).open(renamed.join("sw_vers.txt")).unwrap();
    version.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(MADE_AT as u64)).unwrap();
    assert_eq!(findings(&renamed).evidence.now.timestamp(), MADE_AT);
    let mut header = tar::Header::new_ustar();
    header.set_size(0);
    header.set_mtime(MADE_AT as u64);
    let mut packed = tar::Builder::new(Vec::new());
    packed.append_data(&mut header, "from-a-ticket/sw_vers.txt", &b""[..]).unwrap();
    let path = folder.path().join("from-a-ticket.tar");
    fs::write(&path, packed.into_inner().unwrap()).unwrap();
    assert_eq!(findings(&path).evidence.now.timestamp(), MADE_AT);
}

#[test]
fn a_list_of_profiles_without_the_mdms_speaks_for_nothing() {
    let (_folder, made) = made();
    let path = made.join("SystemProfiler/SPConfigurationProfileDataType.spx");
    for (file, state) in [
        (b"bplist00".to_vec(), "error"),
        (Vec::new(), "error"),
        (b"<plist version=\"1.0\"><array><dict/></array></plist>".to_vec(), "ok"),
    ] {
        fs::write(&path, file).unwrap();
        let findings = findings(&made);
        assert_eq!(status(&findings, "profiles_list").text("state"), Some(state));
        assert_eq!(shown(&rows(&findings, "mdm_enrollment")[0], &["enrolled", "state"]), "- unknown");
    }
}
