//! What keeps an enforced update from being installed, and what its failure means.

use crate::support::{Row, findings, fixture, rows};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The fixture with other answers of commands; `None` takes one away.
fn changed(commands: &[(&str, Option<&str>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture("updates/enforcement-blocked"), folder.path());
    for (name, output) in commands {
        let path = folder.path().join(format!("commands/{name}.out"));
        match output {
            Some(output) => fs::write(path, output).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { fs::copy(&path, &to).map(drop).unwrap() }
    }
}

fn enforcement(source: &Path) -> Row {
    rows(&findings(source), "os_update_enforcement").remove(0)
}

fn blockers(row: &Row) -> (Option<i64>, Option<String>) {
    (row.number("blocked"), row.text("blockers").map(ToString::to_string))
}

const SPACE: &str = "Filesystem   1024-blocks      Used Available Capacity  Mounted on
/dev/disk3s5   244810132 100000000 140000000    42%    /System/Volumes/Data
";
const ESCROWED: &str =
    "profiles: Bootstrap Token supported on server: YES\nprofiles: Bootstrap Token escrowed to server: YES\n";
const PLUGGED: &str = "Now drawing from 'AC Power'\n -InternalBattery-0 (id=4653155)\t34%; charging; present: true\n";
const INTEL: &str =
    "    {\n      \"IOPlatformSerialNumber\" = \"C02X\"\n      \"model\" = <\"MacBookPro16,1\">\n    }\n";

#[test]
fn what_is_in_the_way_is_named_with_its_figures() {
    let row = enforcement(&fixture("updates/enforcement-blocked"));
    assert_eq!(blockers(&row), (Some(1), Some("battery,bootstrap_token,free_space".to_owned())));
    assert_eq!(
        row.text("blockers_detail").unwrap(),
        "The Mac runs on battery at 34 %. 2.0 GB are free, and 4.8 GB are still to be downloaded."
    );
}

#[test]
fn nothing_is_in_the_way_only_if_everything_was_looked_at() {
    let all = [("disk-space", Some(SPACE)), ("power", Some(PLUGGED)), ("bootstrap-token", Some(ESCROWED))];
    assert_eq!(blockers(&enforcement(changed(&all).path())), (Some(0), None));
    for missing in ["disk-space", "power", "bootstrap-token"] {
        let some: Vec<_> = all.iter().map(|(name, output)| (*name, output.filter(|_| *name != missing))).collect();
        assert_eq!(blockers(&enforcement(changed(&some).path())), (None, None), "without {missing}");
    }
    let without_log = changed(&all);
    fs::remove_file(without_log.path().join("log.ndjson")).unwrap();
    assert_eq!(blockers(&enforcement(without_log.path())), (None, None), "without the log");
    let wrong = [all[0], all[1], ("bootstrap-token", Some("profiles: this tool requires root"))];
    assert_eq!(blockers(&enforcement(changed(&wrong).path())), (None, None));
    // Without those sources nothing is said.
    assert_eq!(blockers(&enforcement(&fixture("updates/macos-27-by-ddm-alone"))), (None, None));
}

#[test]
fn an_intel_mac_needs_no_bootstrap_token() {
    let commands = [("disk-space", Some(SPACE)), ("power", Some(PLUGGED)), ("platform", Some(INTEL))];
    assert_eq!(blockers(&enforcement(changed(&commands).path())), (Some(0), None));
}

#[test]
fn nothing_is_in_the_way_of_what_the_mac_does_not_go_by() {
    let row = enforcement(&fixture("updates/enforcement-met"));
    assert_eq!((row.text("state"), blockers(&row)), (Some("met"), (None, None)));
}

#[test]
fn the_error_in_a_failure_is_named_with_its_meaning() {
    let row = enforcement(&fixture("updates/enforcement-blocked"));
    assert_eq!((row.text("failure_domain"), row.number("failure_code")), (Some("SUMacControllerError"), Some(7507)));
    assert_eq!(row.text("known_failure"), Some("SUMacControllerError_7507"));
    assert!(row.text("failure_meaning").unwrap().starts_with("Access to softwareupdated was denied."));
    let update = rows(&findings(&fixture("updates/enforcement-blocked")), "os_update_status").remove(0);
    assert_eq!((update.text("error_domain"), update.number("error_code")), (Some("SUMacControllerError"), Some(7507)));
}

#[test]
fn an_unknown_code_stays_a_number_and_a_full_disk_is_a_blocker() {
    let with_reason = |reason: &str| {
        let folder = changed(&[]);
        let path = folder.path().join("root/Library/Preferences/com.apple.SoftwareUpdate.plist");
        let text = fs::read_to_string(&path).unwrap();
        let (before, rest) = text.split_once("<string>Error").unwrap();
        let (_, after) = rest.split_once("</string>").unwrap();
        fs::write(path, format!("{before}<string>{reason}</string>{after}")).unwrap();
        enforcement(folder.path())
    };
    let row = with_reason("Error Domain=SUMacControllerError Code=7999 \"x\"");
    assert_eq!((row.number("failure_code"), row.text("known_failure")), (Some(7999), None));
    assert_eq!(row.text("failure_meaning"), Some("No public source says what SUMacControllerError 7999 means."));
    let row = with_reason("Software update failed.");
    assert_eq!(
        (row.text("failure_domain"), row.number("failure_code"), row.text("failure_meaning")),
        (None, None, None)
    );
    let row = with_reason("[SUMacControllerErrorPrepareFailed=7740] Failed: [NSPOSIXErrorDomain:28]");
    assert!(row.text("blockers_detail").unwrap().ends_with("2.0 GB are free."), "{:?}", row.text("blockers_detail"));
    assert_eq!(
        (row.number("failure_code"), row.text("known_failure")),
        (Some(7740), Some("SUMacControllerError_7740"))
    );
}
