//! Folders of somebody else: `--root` below one would run its owner's programs with root's rights, and what root writes
//! into one must neither follow its owner's links nor land elsewhere.

use crate::support::ENROLLED;
use crate::support::fake_mac::FakeMac;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::process::{Command, Output};

/// A user who is neither root nor the one who runs the tests.
const OTHER: u32 = 1234;

#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    program.args(arguments).env_remove("MDM_HEALTH_SOURCE").env_remove("SUDO_UID").env_remove("SUDO_GID");
    program
}

/// Whether the tests may give files to others.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("only root can give folders to somebody else, so that this test shows nothing");
    }
    is_root
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn nothing_below_a_root_that_somebody_else_owns_is_run() {
    if !is_root() {
        return;
    }
    let subcommands: [&[&str]; 6] = [
        &["diagnose"],
        &["heal"],
        &["query", "SELECT * FROM mdm_watchdog"],
        &["report", "-"],
        &["capture", "/nowhere/capture"],
        &["heal", "--automatic"],
    ];
    for foreign in ["/", "/usr", "/usr/bin", "/usr/bin/profiles", "/usr/bin/profiles.out", "/private"] {
        for subcommand in subcommands {
            let mac = FakeMac::new();
            mac.command("/usr/bin/profiles", ENROLLED).file("/private/note", "");
            lchown(mac.path(foreign), Some(OTHER), None).unwrap();
            let arguments = [subcommand, &["--root", mac.root().to_str().unwrap()]].concat();
            let output = program(&arguments).output().unwrap();
            let (code, said) = (output.status.code(), stderr(&output));
            assert_eq!(code, Some(2), "{foreign}, {subcommand:?}: {said}");
            assert!(said.contains("is refused") && said.contains("belongs to uid 1234"), "{foreign}: {said}");
            assert_eq!(mac.calls("/usr/bin/profiles"), Vec::<String>::new(), "{foreign}, {subcommand:?}");
            assert!(!mac.path("/Library/Application Support").exists(), "{foreign}, {subcommand:?}");
        }
    }
}

#[test]
fn nothing_below_a_root_that_somebody_else_can_change_is_run() {
    let mac = FakeMac::new();
    mac.command("/usr/bin/profiles", ENROLLED);
    fs::set_permissions(mac.root(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(mac.path("/usr/bin"), Permissions::from_mode(0o777)).unwrap();
    let output = program(&["diagnose", "--root", mac.root().to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("usr/bin is writable by others (mode 0777)"), "{}", stderr(&output));
    assert_eq!(mac.calls("/usr/bin/profiles"), Vec::<String>::new());
}

/// Through `--root` a bind mount of `/` would get around what only the real Mac forbids, such as a record of its own.
#[test]
fn a_bind_mount_of_the_root_is_the_machine_itself() {
    if !is_root() {
        return;
    }
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let script = "mount --bind / \"$1\" && exec \"$2\" query \"$3\" --source live --root \"$1\" --state-dir \"$4\"";
    let insert = "INSERT INTO mdm_heal(action, force) VALUES ('restart_mdmclient', 1)";
    let (root, state) = (folder.path().to_str().unwrap(), state.path().to_str().unwrap());
    #[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh", root, env!("CARGO_BIN_EXE_mdm-health"), insert, state])
        .output();
    match output {
        Ok(output) if !stderr(&output).contains("mount:") && !stderr(&output).contains("unshare:") => {
            assert!(stderr(&output).contains("other_ledger"), "{}", stderr(&output));
        }
        _ => eprintln!("nothing can be mounted here, so that this test shows nothing"),
    }
}
