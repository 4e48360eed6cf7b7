//! How the extension starts and ends: its arguments, its socket, osquery's refusals and signals.

use crate::support::extension::{Extension, running};
use crate::support::manager::{Manager, REFUSALS};
use crate::support::three_commands;
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// The files left beside the manager's socket.
fn left(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.filter(|name| name != "osquery.em").collect()
}

#[test]
fn a_refused_registration_ends_the_extension_with_osquerys_message() {
    for words in REFUSALS {
        let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
        let manager = Manager::refusing(folder.path(), words);
        let (code, said) = Extension::on(&manager, capture.path()).end();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("osquery refused to register mdm_health: {words}")), "{said}");
        // A predecessor is dropped within some intervals, here of a second; it is tried twice a second.
        let (tries, duplicate) = (manager.state().registrations.len(), words == "Duplicate extension registered");
        assert!(if duplicate { (6..=12).contains(&tries) } else { tries == 1 }, "{words}: {tries} times");
        assert_eq!(left(folder.path()), Vec::<String>::new());
    }
}

#[test]
fn an_extension_waits_while_its_predecessor_is_still_listed() {
    let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
    let manager = Manager::refusing(folder.path(), "Duplicate extension registered");
    let mut extension = Extension::on(&manager, capture.path());
    extension.said("osquery refused to register mdm_health: Duplicate");
    manager.state().refusal = None;
    assert_eq!(manager.extension().generate("mdm_watchdog", "{}").rows.len(), 1);

    let (folder, capture) = (tempfile::tempdir().unwrap(), capture);
    let manager = Manager::refusing(folder.path(), "Duplicate extension registered");
    let mut extension = Extension::on(&manager, capture.path());
    extension.said("osquery refused to register mdm_health: Duplicate");
    extension.signal(Signal::TERM);
    assert_eq!(extension.end().0, Some(0));
}

#[test]
fn a_socket_that_never_appears_ends_the_extension_and_a_late_one_does_not() {
    let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
    let (socket, source) = (folder.path().join("osquery.em"), capture.path().to_str().unwrap());
    let start = Instant::now();
    let never = Extension::run(&["--socket", socket.to_str().unwrap(), "--timeout=1", "--source", source]);
    let (code, said) = never.end();
    assert_eq!(code, Some(1));
    assert!(said.contains("osquery did not answer within 1 s") && said.contains("osquery.em"), "{said}");
    assert!(start.elapsed() >= Duration::from_secs(1));

    let mut late = Extension::start(&socket, &["--source", source]);
    late.said("waits for osquery");
    let manager = Manager::start(folder.path());
    assert_eq!(manager.extension().generate("mdm_watchdog", "{}").rows.len(), 1);
}

#[test]
fn shutdown_ends_the_extension_cleanly_and_leaves_no_files() {
    let (folder, _capture, _manager, extension, peer) = running();
    peer.shutdown().unwrap();
    let (code, said) = extension.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(left(folder.path()), Vec::<String>::new());
}

#[test]
fn a_signal_ends_the_extension_cleanly_and_deregisters_it() {
    for signal in [Signal::TERM, Signal::INT] {
        let (folder, _capture, manager, extension, _) = running();
        extension.signal(signal);
        assert_eq!(extension.end().0, Some(0));
        assert_eq!((manager.state().deregistered.as_slice(), left(folder.path())), (&[4242][..], Vec::new()));
    }
}

#[test]
fn a_signal_ends_the_extension_while_it_waits_or_osquery_is_silent() {
    let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
    let nobody = folder.path().join("nobody.em");
    let mut waiting = Extension::start(&nobody, &["--source", capture.path().to_str().unwrap()]);
    waiting.said("waits for osquery");
    waiting.signal(Signal::TERM);
    assert_eq!(waiting.end().0, Some(0));

    let (_folder, _capture, manager, extension, _) = running();
    manager.state().mute = true;
    let start = Instant::now();
    extension.signal(Signal::TERM);
    assert_eq!(extension.end().0, Some(0));
    // Not only when the manager has not answered for the 30 s of `--timeout`.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    manager.state().mute = false;
}

#[test]
fn a_stale_socket_is_replaced_and_the_new_one_is_private() {
    let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
    let manager = Manager::start(folder.path());
    drop(UnixListener::bind(manager.extension_socket()).unwrap());
    let _extension = Extension::on(&manager, capture.path());
    let peer = manager.extension();
    assert_eq!(peer.generate("mdm_watchdog", "{}").rows.len(), 1);
    assert_eq!(fs::metadata(&peer.0).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(folder.path().join(".mdm_health.0")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_socket_that_cannot_be_created_ends_the_extension_and_deregisters_it() {
    let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
    let manager = Manager::start(folder.path());
    fs::create_dir(manager.extension_socket()).unwrap();
    let (code, said) = Extension::on(&manager, capture.path()).end();
    assert_eq!(code, Some(1));
    assert!(said.contains("osquery.em.4242 cannot be created"), "{said}");
    assert_eq!(manager.state().deregistered, [4242]);
}

#[test]
fn a_path_too_long_for_a_socket_is_refused_first() {
    let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
    let room = 103 - folder.path().as_os_str().len() - 1;
    let socket = folder.path().join("s".repeat(room - ".65535".len() + 1));
    let (code, said) = Extension::start(&socket, &["--source", capture.path().to_str().unwrap()]).end();
    assert_eq!(code, Some(1));
    assert!(said.contains("is too long") && said.contains("103 bytes"), "{said}");

    let just_right = folder.path().join("s".repeat(room - ".65535".len()));
    let just_right =
        ["--socket", just_right.to_str().unwrap(), "--timeout", "0", "--source", capture.path().to_str().unwrap()];
    let (_, said) = Extension::run(&just_right).end();
    assert!(said.contains("osquery did not answer within"), "{said}");
}

#[test]
fn the_extension_ends_when_osquery_is_gone() {
    let (folder, _capture, manager, extension, _) = running();
    manager.vanish();
    let (code, said) = extension.end();
    assert_eq!(code, Some(3));
    assert!(said.contains("osquery does not answer at"), "{said}");
    assert_eq!(left(folder.path()), Vec::<String>::new());
}

#[test]
fn the_extension_ends_when_osquery_no_longer_lists_it() {
    let (_folder, _capture, manager, extension, peer) = running();
    manager.state().listed.clear();
    let (code, said) = extension.end();
    assert_eq!(code, Some(3));
    assert!(said.contains("no longer lists this extension"), "{said}");
    assert!(peer.ping().is_err());
}

#[test]
fn the_extension_ends_when_its_own_socket_is_removed() {
    let (_folder, _capture, _manager, extension, peer) = running();
    fs::remove_file(&peer.0).unwrap();
    let (code, said) = extension.end();
    assert_eq!(code, Some(3));
    assert!(said.contains("own socket") && said.contains("does not answer"), "{said}");
}

#[test]
fn invalid_arguments_give_exit_code_2_and_say_why() {
    let capture = three_commands();
    for (arguments, words) in [
        (&["--socket", "/nowhere/osquery.em"][..], "pass --source"),
        (&["-socket=/nowhere/osquery.em", "--source", "/no/such/capture"], "/no/such/capture"),
        (&["--socket"], "osqueryi --extension"),
        (&["--socket", "s", "--now", "yesterday", "--source", capture.path().to_str().unwrap()], "yesterday"),
    ] {
        let (code, said) = Extension::run(arguments).end();
        assert_eq!(code, Some(2), "{said}");
        assert!(said.starts_with("mdm-health: ") && said.contains(words), "{said}");
    }
}

#[test]
fn a_program_named_ext_is_an_extension_when_started_without_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("mdm_health.ext");
    symlink(env!("CARGO_BIN_EXE_mdm-health"), &program).unwrap();
    let (code, said) = Extension::run_as(&program, &[]).end();
    assert_eq!(code, Some(2));
    assert!(said.contains("this is an osquery extension"), "{said}");
    assert_eq!(Extension::run_as(&program, &["version"]).end().0, Some(0));
}

#[test]
fn unknown_osquery_flags_are_ignored() {
    let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
    let manager = Manager::start(folder.path());
    let joined = format!("-socket={}", manager.socket.display());
    let source = format!("--source={}", capture.path().display());
    let extension = Extension::run(&["--new", "7", &joined, "-timeout=x", "--interval=0", "--brand-new=1", &source]);
    let peer = manager.extension();
    assert_eq!(peer.generate("mdm_watchdog", "{}").rows[0]["state"], "ok");
    peer.shutdown().unwrap();
    assert_eq!(extension.end(), (Some(0), String::new()), "without --verbose it says nothing unless it must");
}
