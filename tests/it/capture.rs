//! `capture`: what it writes, and that a capture gives the same rows as the Mac itself.

use crate::support;
use crate::support::captured::Captured;
use crate::support::fixture;
use crate::support::heal_mac::HealMac;
use crate::support::manager::until;
use mdm_health::collect;
use mdm_health::host::Recorded;
use mdm_health::log::ReadOptions;
use mdm_health::tables;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

/// The columns of `mdm_health_status` on which a live Mac and its capture agree. Durations differ, the policy is read on
/// a live Mac only, and a live Mac's zone is known for every date, a capture's only for its own.
const STATUS: &str = "SELECT source, state, reason, CASE source WHEN 'time_zone' THEN NULL ELSE detail END AS detail, \
     last_ok_at, last_error_at, covers_from, covers_to, records_read, events_kept, lines_skipped, lines_not_understood, \
     version FROM mdm_health_status WHERE source <> 'heal_policy'";

/// A query for each table that names its hidden columns too.
fn queries() -> Vec<String> {
    let query = |table: &tables::TableDefinition| {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        format!("SELECT {} FROM {}", columns.join(", "), table.name)
    };
    let tables = tables::DEFINITIONS.iter().filter(|table| table.name != "mdm_health_status");
    tables.copied().map(query).chain([STATUS.to_owned()]).collect()
}

fn stdout(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn a_capture_gives_the_same_rows_as_the_mac_itself() {
    let folder = tempfile::tempdir().unwrap();
    for (name, zone) in [
        ("user-channel-beside-device", "PST8"),
        ("installprofile-error-chain", "IST-5:30"),
        ("update-command-never-answered", "UTC0"),
        ("enrolled-by-ade", "PST8"),
        ("updates/enforcement-past-due", "EST5"),
        ("updates/macos-14-prepared-for-its-deadline", "CST6"),
    ] {
        let mac = Captured::of(&fixture(name), zone);
        let (capture, printed) = mac.capture(folder.path(), &name.replace('/', "-"), &[]);
        assert!(printed.contains("Everything that mdm-health reads could be read."), "{name}: {printed}");
        let (packed, _) = mac.capture(folder.path(), &format!("{}.tar.gz", name.replace('/', "-")), &[]);
        let queries = queries().join(";\n");
        let live = mac.live(&["query", &queries, "--json"]);
        for source in [&capture, &packed] {
            let recorded = mac.recorded(source, &["query", &queries, "--json"]);
            assert_eq!(stdout(&recorded), stdout(&live), "{name}: {}", source.display());
        }
        assert!(stdout(&live).lines().count() > 20, "{name} has something to say");
    }
}

#[test]
fn a_capture_holds_the_restarts_and_cannot_cause_one() {
    let mac = HealMac::stuck();
    let run = |arguments: &[&str]| mac.program(arguments).output().unwrap();
    stdout(&run(&["heal"]));
    run(&["query", "INSERT INTO mdm_heal(action, reason) VALUES ('restart_mdmclient', 'again')"]);
    let capture = mac.root().join("capture");
    stdout(&run(&["capture", capture.to_str().unwrap()]));
    let acts = mac.acts();
    let source = ["--source", capture.to_str().unwrap()];
    for query in ["SELECT * FROM mdm_heal", "SELECT * FROM mdm_watchdog", STATUS] {
        let live = run(&["query", query, "--json"]);
        if query != STATUS {
            assert!(stdout(&live).contains("1795456800"), "{}", stdout(&live));
            assert_eq!(stdout(&run(&[&["query", query, "--json"][..], &source].concat())), stdout(&live), "{query}");
        }
    }
    let insert = "INSERT INTO mdm_heal(action) VALUES ('restart_mdmclient')";
    assert_eq!(run(&[&["query", insert][..], &source].concat()).status.code(), Some(1));
    assert_eq!(mac.acts(), acts);

    fs::write(capture.join("restarts.json"), "{}").unwrap();
    let watchdog = "SELECT mdm_client_restarted, outcome FROM mdm_watchdog, mdm_heal";
    let damaged = run(&[&["query", watchdog, "--json"][..], &source].concat());
    assert_eq!(stdout(&damaged), "[\n  {\"mdm_client_restarted\":null,\"outcome\":\"unreadable\"}\n]\n");
}

#[test]
fn no_declaration_on_the_mac_differs_from_a_file_missing_in_the_capture() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let (capture, _) = mac.capture(folder.path(), "capture", &[]);
    let state = || {
        let query = "SELECT state, reason FROM mdm_health_status WHERE source = 'ddm_state'";
        stdout(&mac.recorded(&capture, &["query", query, "--csv"])).to_owned()
    };
    assert_eq!(state(), "state,reason\nok,\n");
    let description = fs::read_to_string(capture.join("capture.json")).unwrap();
    fs::write(capture.join("capture.json"), description.replace("DDMState", "Other")).unwrap();
    assert_eq!(state(), "state,reason\nunavailable,not_captured\n");
}

#[test]
fn what_cannot_be_read_is_listed_and_leaves_no_empty_file() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    mac.mac.behaves("/usr/bin/log", "denied").fails("/usr/bin/security", 36, "security: locked");
    fs::remove_file(mac.mac.path("/usr/libexec/mdmclient")).unwrap();
    let (capture, printed) = mac.capture(folder.path(), "capture", &[]);
    for words in [
        "What could not be read, or not wholly:\n- unified_log (error): ",
        "give the program that starts it Full Disk Access",
        "- identities (error): ",
        "security: locked",
        "- management_status (error): ",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    let manifest = fs::read_to_string(capture.join("MANIFEST.txt")).unwrap();
    assert!(printed.ends_with(&manifest) && !printed.contains("profiles_status"), "{printed}");
    assert!(!capture.join("commands/management-status.out").exists());
    assert_eq!(fs::read_to_string(capture.join("commands/identities.code")).unwrap(), "36\n");
    let sql = "SELECT source, state, reason FROM mdm_health_status WHERE source IN ('unified_log', 'identities', 'management_status')";
    let rows = stdout(&mac.recorded(&capture, &["query", sql, "--csv"])).to_owned();
    assert_eq!(
        rows,
        "source,state,reason\nunified_log,error,not_captured\nmanagement_status,unavailable,not_captured\n\
         identities,error,command_failed\n"
    );
}

#[test]
fn only_the_owner_can_read_a_capture() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let (capture, _) = mac.capture(folder.path(), "capture", &[]);
    let (packed, _) = mac.capture(folder.path(), "capture.tar.gz", &[]);
    fn check(path: &Path) {
        let mode = fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{path:?}");
        for entry in fs::read_dir(path).into_iter().flatten() {
            check(&entry.unwrap().path());
        }
    }
    check(&capture);
    check(&packed);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn capture_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let elsewhere = folder.path().join("elsewhere");
    for name in ["folder", "file", "link", "file.tar.gz", "link.tar.gz"] {
        let to = folder.path().join(name);
        match name.split('.').next().unwrap() {
            "folder" => fs::create_dir(&to).unwrap(),
            "file" => fs::write(&to, "kept").unwrap(),
            _ => symlink(&elsewhere, &to).unwrap(),
        }
        let output = mac.live(&["capture", to.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("exists already"), "{name}");
        assert!(!to.is_file() || fs::read_to_string(&to).unwrap() == "kept", "{name}");
    }
    assert!(!elsewhere.exists());
    assert_eq!(mac.live(&["capture", "/nowhere/capture"]).status.code(), Some(1));
}

#[test]
fn capture_reads_the_log_of_the_given_hours_up_to_now() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    mac.capture(folder.path(), "day", &[]);
    mac.capture(folder.path(), "week", &["--hours", "168"]);
    let calls = mac.mac.calls("/usr/bin/log");
    for (call, from) in calls.iter().zip(["2026-11-22 ", "2026-11-16 "]) {
        assert!(call.contains(&format!("--start {from}")) && call.contains("--end 2026-11-23 "), "{call}");
    }
    assert_eq!((calls.len(), mac.live(&["capture", "x", "--hours", "0"]).status.code()), (2, Some(2)));
}

#[test]
fn a_capture_of_a_capture_gives_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("updates/enforcement-past-due"), "CET-1");
    let (first, _) = mac.capture(folder.path(), "first.tar.gz", &[]);
    let second = folder.path().join("second");
    stdout(&mac.recorded(&first, &["capture", second.to_str().unwrap()]));
    for query in queries() {
        let (one, other) =
            (mac.recorded(&first, &["query", &query, "--json"]), mac.recorded(&second, &["query", &query, "--json"]));
        // A complete capture's rows do not contain the name of its folder.
        assert_eq!(stdout(&one), stdout(&other), "{query}");
    }
}

#[test]
fn an_archive_of_a_folder_with_a_long_name_gives_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let (capture, _) = mac.capture(folder.path(), "capture", &[]);
    let packed = folder.path().join("packed.tar.gz");
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(
        fs::File::create(&packed).unwrap(),
        flate2::Compression::fast(),
    ));
    archive.append_dir_all("the-mac-of-somebody-on-the-second-floor-on-2026-11-23".repeat(4), &capture).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
    for query in queries() {
        let [folder, archive] = [&capture, &packed].map(|capture| mac.recorded(capture, &["query", &query, "--json"]));
        assert_eq!(stdout(&archive), stdout(&folder), "{query}");
    }
}

#[test]
fn an_archive_that_is_not_a_capture_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let (packed, _) = mac.capture(folder.path(), "capture.tar.gz", &[]);
    let bytes = fs::read(&packed).unwrap();
    let bad = folder.path().join("bad.tar.gz");
    for (content, words) in [
        (&bytes[..bytes.len() / 2], "cannot be used: it is "),
        (&bytes[..2], "cannot be used: it is "),
        (&b"\x1f\x8bhello"[..], "cannot be used: it is "),
    ] {
        fs::write(&bad, content).unwrap();
        let output = mac.recorded(&bad, &["diagnose"]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_damaged_archive_is_refused_or_read_up_to_the_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let (packed, _) = mac.capture(folder.path(), "capture.tar.gz", &[]);
    let whole = fs::read(&packed).unwrap();
    let (mut refused, mut at) = (0, 0);
    while at < whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs::write(&packed, damaged).unwrap();
        match Recorded::open(&packed, None) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
            Ok(host) => drop(collect::evidence(&host, &ReadOptions::default(), &support::no_state())),
        }
        at += whole.len() / 40;
    }
    assert!(refused > 0);
}

#[test]
fn an_interrupted_capture_leaves_no_files() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = tempfile::tempdir().unwrap();
        let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
        mac.mac.behaves("/usr/bin/log", "hang");
        let to = folder.path().join("capture");
        let mut running = mac.start(&["capture", to.to_str().unwrap()]);
        while fs::read_dir(folder.path()).unwrap().count() == 0 || mac.mac.calls("/usr/bin/log").is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        kill_process(Pid::from_child(&running), signal).unwrap();
        assert_eq!(running.wait().unwrap().code(), Some(128 + signal.as_raw()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn paths_and_links_that_leave_an_archive_are_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.tar.gz");
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(fs::File::create(&bad).unwrap(), flate2::Compression::fast()));
    let mut add = |path: &str, kind: tar::EntryType, text: &str| {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        if kind.is_symlink() {
            header.set_link_name("/etc/hostname").unwrap();
        }
        header.set_entry_type(kind);
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, text.as_bytes()).unwrap();
    };
    add("capture.json", tar::EntryType::Regular, "{\"captured_at\": \"2026-11-23T18:00:00Z\"}");
    add("../outside", tar::EntryType::Regular, "outside");
    add("commands/profiles-status.out", tar::EntryType::Symlink, "");
    add("log.ndjson", tar::EntryType::Regular, "{\"count\":0,\"finished\":1}\n");
    archive.into_inner().unwrap().finish().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let sql = "SELECT state, reason FROM mdm_health_status WHERE source = 'profiles_status'";
    assert_eq!(stdout(&mac.recorded(&bad, &["query", sql, "--csv"])), "state,reason\nunavailable,not_captured\n");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_whole_log_is_kept_beside_the_rest_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("user-channel-beside-device"), "UTC0");
    let (capture, printed) = mac.capture(folder.path(), "whole", &["--archive", "--hours", "3"]);
    assert!(printed.contains("system_logs.logarchive (0.0 MB) is the whole log of the last 3 h"), "{printed}");
    let log = fs::read_to_string(capture.join("system_logs.logarchive/Persist/0000000000000001.tracev3")).unwrap();
    assert_eq!(log, "what was logged\n");
    assert_eq!(fs::metadata(capture.join("system_logs.logarchive")).unwrap().permissions().mode() & 0o777, 0o700);
    // It is still a capture, as a folder and packed, and says what one without says.
    let (packed, _) = mac.capture(folder.path(), "whole.tar.gz", &["--archive"]);
    let query = ["query", "SELECT * FROM mdm_exchanges", "--json"];
    let expected = mac.live(&query);
    for source in [&capture, &packed] {
        assert_eq!(stdout(&mac.recorded(source, &query)), stdout(&expected));
    }
    // Where it is refused, the rest is kept, and the manifest says why.
    mac.mac.file("/usr/bin/log.refuses", "");
    let (refused, printed) = mac.capture(folder.path(), "refused", &["--archive"]);
    assert!(printed.contains("- system_logs.logarchive: ") && printed.contains("Must be admin"), "{printed}");
    assert!(refused.join("log.ndjson").exists() && !refused.join("system_logs.logarchive").exists());
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a FIFO is made by mkfifo, which every system has")]
fn a_fifo_in_place_of_the_journal_does_not_hold_a_capture_up() {
    for name in ["journal.db", "journal.db-wal"] {
        let mac = HealMac::stuck();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(mac.state_dir()).unwrap();
        if name != "journal.db" {
            // Its owner alone may read it, as the program would have made it.
            fs::OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(mac.state_dir().join("journal.db"))
                .unwrap();
        }
        let made = Command::new("mkfifo").args(["-m", "600"]).arg(mac.state_dir().join(name)).status().unwrap();
        assert!(made.success());
        let capture = mac.root().join("capture");
        let mut program = mac.program(&["capture", capture.to_str().unwrap()]).spawn().unwrap();
        until(&format!("the capture beside the FIFO {name}"), || program.try_wait().unwrap().is_some());
        assert!(program.wait().unwrap().success(), "{name}");
    }
}
