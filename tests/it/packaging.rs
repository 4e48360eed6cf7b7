//! The package's scripts: what installing and uninstalling do to a volume.

use crate::support::target_volume::{Target, Volume, below, packaging, refusal, text};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

const EXTENSION: &str = "/usr/local/mdm-health/mdm_health.ext";
const LIST: &str = "private/var/osquery/extensions.load";
const LAUNCH_DAEMON: &str = "Library/LaunchDaemons/org.mdm-health.watchdog.plist";
const STATE: &str = "Library/Application Support/mdm-health/heal.db";

fn postinstall(volume: &Volume, target: Target) -> String {
    let output = volume.run("postinstall", target);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

#[test]
fn a_second_installation_changes_nothing() {
    let volume = Volume::with_payload();
    postinstall(&volume, Target::Other);
    assert_eq!(volume.read(LIST), format!("{EXTENSION}\n"));
    assert_eq!((volume.mode("private/var/osquery"), volume.mode(LIST)), (0o755, 0o644));
    postinstall(&volume, Target::Other);
    assert_eq!(volume.read(LIST), format!("{EXTENSION}\n"));
}

#[test]
fn the_extension_list_keeps_other_lines() {
    for (before, after) in [
        ("/opt/other.ext\n", format!("/opt/other.ext\n{EXTENSION}\n")),
        ("# ours\n/opt/other.ext", format!("# ours\n/opt/other.ext\n{EXTENSION}\n")),
        ("", format!("{EXTENSION}\n")),
        // osquery trims lines, so our line is already there.
        (" /usr/local/mdm-health/mdm_health.ext\r\n/opt/other.ext\n", format!(" {EXTENSION}\r\n/opt/other.ext\n")),
        ("/usr/local/mdm-health/mdm_health_ext\n", format!("/usr/local/mdm-health/mdm_health_ext\n{EXTENSION}\n")),
    ] {
        let volume = Volume::with_payload();
        volume.write(LIST, before);
        volume.set_mode("private/var/osquery", 0o755);
        volume.set_mode(LIST, 0o600);
        assert_eq!(postinstall(&volume, Target::Other).lines().count(), 1, "{before:?}");
        assert_eq!((volume.read(LIST), volume.mode(LIST)), (after, 0o600), "{before:?}");
    }
}

#[test]
fn an_extension_list_that_others_can_write_is_left_alone() {
    for (part, mode) in [("private/var/osquery", 0o777), (LIST, 0o664)] {
        let volume = Volume::with_payload();
        volume.write(LIST, "/opt/other.ext\n");
        volume.set_mode("private/var/osquery", 0o755);
        volume.set_mode(LIST, 0o644);
        volume.set_mode(part, mode);
        assert!(postinstall(&volume, Target::Other).contains("can be written by others"), "{part}");
        assert_eq!(volume.read(LIST), "/opt/other.ext\n", "{part}");
    }
    let volume = Volume::with_payload();
    volume.write("elsewhere", "");
    fs::create_dir_all(volume.path("private/var/osquery")).unwrap();
    volume.set_mode("private/var/osquery", 0o755);
    symlink(volume.path("elsewhere"), volume.path(LIST)).unwrap();
    assert!(postinstall(&volume, Target::Other).contains("is a link"));
    assert_eq!(volume.read("elsewhere"), "");
}

#[test]
fn installed_programs_are_owned_by_root_and_not_writable_by_others() {
    let volume = Volume::with_payload();
    volume.set_mode("usr/local/mdm-health", 0o777);
    volume.set_mode("usr/local/mdm-health/mdm_health.ext", 0o666);
    volume.set_mode(LAUNCH_DAEMON, 0o666);
    postinstall(&volume, Target::Other);
    assert_eq!(volume.mode("usr/local/mdm-health"), 0o755);
    assert_eq!(volume.mode("usr/local/mdm-health/mdm_health.ext"), 0o755);
    assert_eq!(volume.mode(LAUNCH_DAEMON), 0o644);
    assert_eq!(
        volume.all_calls(),
        [
            "chown -R 0:0 /usr/local/mdm-health".to_owned(),
            format!("chown 0:0 /{LAUNCH_DAEMON} /private/etc/paths.d/mdm-health")
        ]
    );
}

#[test]
fn an_old_or_missing_macos_is_refused() {
    for version in ["12.0", "13.6.7", "26.1", "27.0"] {
        let output = Volume::with_macos(version).run("preinstall", Target::Other);
        assert!(output.status.success(), "{version}: {}", text(&output.stderr));
    }
    for version in ["11.7.10", "10.15.7"] {
        let output = Volume::with_macos(version).run("preinstall", Target::Other);
        let expected = format!("mdm-health: macOS {version} is too old: mdm-health needs macOS 12 or later.\n");
        assert_eq!(refusal(&output), expected);
    }
    assert!(refusal(&Volume::with_macos("").run("preinstall", Target::Other)).contains("does not say which macOS"));
    let volume = Volume::with_macos("26.1");
    fs::remove_dir_all(volume.path("System")).unwrap();
    assert!(refusal(&volume.run("preinstall", Target::Other)).contains("there is no macOS on "));
}

#[test]
fn a_folder_in_which_others_can_replace_a_program_of_root_is_refused() {
    let volume = Volume::with_macos("26.1");
    volume.set_mode("usr/local", 0o775);
    assert!(refusal(&volume.run("preinstall", Target::Other)).contains("others than root can write"));
    let volume = Volume::with_macos("26.1");
    // A folder owned by another user.
    volume.note("user", "4294967\n");
    assert!(refusal(&volume.run("preinstall", Target::Other)).contains("others than root can write"));
}

#[test]
fn installing_on_another_volume_leaves_launchd_alone() {
    let volume = Volume::with_payload();
    volume.note("running", "system/io.osquery.agent\n");
    assert!(volume.run("preinstall", Target::Other).status.success());
    assert!(postinstall(&volume, Target::Other).contains("The watchdog starts when "));
    assert_eq!(volume.calls(), Vec::<String>::new());
}

#[test]
fn the_watchdog_is_restarted_and_osqueryd_too_if_it_is_running() {
    let volume = Volume::with_payload();
    volume.note("running", "system/io.osquery.agent\n");
    assert!(volume.run("preinstall", Target::Startup).status.success());
    assert_eq!(volume.calls(), ["launchctl bootout system/org.mdm-health.watchdog"]);
    assert_eq!(postinstall(&volume, Target::Startup), "");
    assert_eq!(
        volume.calls()[1..],
        [
            "launchctl bootout system/org.mdm-health.watchdog",
            "launchctl bootstrap system /Library/LaunchDaemons/org.mdm-health.watchdog.plist",
            "launchctl print system/io.osquery.agent",
            "launchctl kickstart -k system/io.osquery.agent",
            "launchctl print system/com.facebook.osqueryd",
            "launchctl print system/com.fleetdm.orbit"
        ]
    );
}

#[test]
fn a_failing_bootstrap_is_tried_again_and_does_not_fail_the_installation() {
    let volume = Volume::with_payload();
    volume.note("busy", "");
    assert!(postinstall(&volume, Target::Startup).contains("it will when this Mac restarts"));
    let count = |call: &str| volume.calls().iter().filter(|made| made.starts_with(call)).count();
    assert_eq!((count("launchctl bootstrap"), count("sleep 1")), (5, 4));
}

#[test]
fn fleet_is_left_running_and_a_conflict_is_reported() {
    let volume = Volume::with_payload();
    volume.note("running", "system/com.fleetdm.orbit\n");
    volume.write("opt/orbit/extensions.load", "");
    let said = postinstall(&volume, Target::Startup);
    assert!(said.contains("sudo launchctl kickstart -k system/com.fleetdm.orbit"), "{said}");
    assert!(!said.contains("publish mdm_health") && !said.contains("Addigy"), "{said}");
    assert!(volume.calls().iter().all(|call| !call.starts_with("launchctl kickstart")));

    volume.write("opt/orbit/extensions.load", "/opt/orbit/bin/extensions/other/macos/stable/other.ext\n");
    volume.write("Library/LaunchDaemons/com.addigy.mdm-watchdog.plist", "");
    let said = postinstall(&volume, Target::Startup);
    assert!(said.contains("publish mdm_health") && said.contains("Addigy's mdm-watchdog is installed too"), "{said}");
    assert!(volume.exists("Library/LaunchDaemons/com.addigy.mdm-watchdog.plist"));

    volume.write("opt/orbit/extensions.load", "/opt/orbit/bin/extensions/mdm_health/macos/stable/mdm_health.ext\n");
    assert!(!postinstall(&volume, Target::Startup).contains("publish mdm_health"));
}

/// A volume after an installation, as root, with a record of a restart and files that are not ours.
fn installed() -> Volume {
    let volume = Volume::with_payload();
    volume.write(LIST, "/opt/other.ext\n");
    volume.set_mode("private/var/osquery", 0o755);
    volume.set_mode(LIST, 0o640);
    postinstall(&volume, Target::Other);
    volume.write(STATE, "the record");
    volume.write("usr/local/bin/other", "");
    volume.write("private/etc/paths.d/other", "");
    volume.note("user", "0\n");
    volume
}

#[test]
fn uninstalling_removes_our_files_and_keeps_the_record_of_restarts() {
    let volume = installed();
    volume.note("running", "system/com.fleetdm.orbit\n");
    let before = below(&volume.path(""));
    let output = volume.uninstall(&[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("the record of restarts stay in ") && said.contains("system/com.fleetdm.orbit\n"), "{said}");
    let gone: BTreeSet<String> = before.difference(&below(&volume.path(""))).cloned().collect();
    let ours = |path: &&String| {
        path.starts_with("usr/local/mdm-health")
            || [LAUNCH_DAEMON, "private/etc/paths.d/mdm-health"].contains(&path.as_str())
    };
    assert_eq!(gone, before.iter().filter(ours).cloned().collect());
    assert_eq!((volume.read(LIST), volume.mode(LIST)), ("/opt/other.ext\n".to_owned(), 0o640));
    assert_eq!(volume.read(STATE), "the record");
    assert_eq!(
        volume.calls()[..3],
        [
            "launchctl bootout system/org.mdm-health.watchdog",
            "pkgutil --volume / --pkg-info org.mdm-health.pkg",
            "pkgutil --volume / --forget org.mdm-health.pkg"
        ]
    );
    assert!(volume.calls().iter().all(|call| !call.starts_with("launchctl kickstart")));
    assert!(fs::read_to_string(packaging("distribution.xml")).unwrap().contains("<pkg-ref id=\"org.mdm-health.pkg\" "));
}

#[test]
fn uninstalling_leaves_a_list_alone_that_others_can_write() {
    for (part, mode) in [("private/var/osquery", 0o777), (LIST, 0o664)] {
        let volume = installed();
        let before = volume.read(LIST);
        volume.set_mode(part, mode);
        let output = volume.uninstall(&[]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("can be written by others than root"), "{part}");
        assert_eq!((volume.read(LIST), volume.exists(LAUNCH_DAEMON)), (before, false), "{part}");
    }
    // Reading a pipe would wait for its writer.
    let volume = installed();
    fs::remove_file(volume.path(LIST)).unwrap();
    #[allow(clippy::disallowed_methods, reason = "no crate here makes a pipe on macOS and on Linux alike")]
    let made = Command::new("mkfifo").arg(volume.path(LIST)).status().unwrap();
    assert!(made.success());
    let output = volume.uninstall(&[]);
    assert!(text(&output.stdout).contains("extensions.load is a link or another thing"), "{}", text(&output.stdout));
    assert_eq!((output.status.success(), volume.exists(LAUNCH_DAEMON)), (true, false));
    // A folder that somebody else made, with a list that leads elsewhere.
    let volume = installed();
    fs::remove_dir_all(volume.path("private/var/osquery")).unwrap();
    volume.write("elsewhere/extensions.load", &format!("{EXTENSION}\n"));
    symlink(volume.path("elsewhere"), volume.path("private/var/osquery")).unwrap();
    assert!(text(&volume.uninstall(&[]).stdout).contains("private/var/osquery is a link"));
    assert_eq!(volume.read("elsewhere/extensions.load"), format!("{EXTENSION}\n"));
    assert_eq!(below(&volume.path("elsewhere")).len(), 1, "nothing was written there");
}

#[test]
fn uninstalling_twice_succeeds() {
    let volume = Volume::with_macos("26.1");
    volume.note("user", "0\n");
    let output = volume.uninstall(&[]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("mdm-health: removed.\n", ""));
}

#[test]
fn purging_removes_the_record_and_an_extension_list_with_only_our_line() {
    let volume = installed();
    volume.write(LIST, &format!("{EXTENSION}\n"));
    let output = volume.uninstall(&["--purge"]);
    assert!(text(&output.stdout).contains("a daemon may be restarted at once"));
    assert!(!volume.exists(STATE) && !volume.exists(LIST) && volume.exists("private/var/osquery"));
}

#[test]
fn uninstalling_needs_root_and_known_arguments() {
    let volume = installed();
    volume.note("user", "501\n");
    assert!(refusal(&volume.uninstall(&[])).contains("run this with sudo"));
    assert!(refusal(&volume.uninstall(&["--everything"])).contains("Usage: uninstall.sh"));
    assert!(volume.exists(LAUNCH_DAEMON) && volume.exists(&EXTENSION[1..]));
}
