//! Heal while its record fails it: killed at each write to the disk, and with a disk that refuses one. strace does both;
//! without strace nothing is tested.
#![allow(clippy::disallowed_methods, reason = "the tests start the program itself")]

use crate::support::heal_mac::{HealMac, NOW};
use crate::support::tries;
use rusqlite::Connection;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

const RESTART: &str = "INSERT INTO mdm_heal(action, reason) VALUES ('restart_mdmclient', 'fault')";
/// Restarts both daemons, one after the other.
const HEAL: &str = "INSERT INTO mdm_heal(action, reason) VALUES ('heal', 'fault')";

/// The files of the record.
const FILES: [&str; 6] = ["", "heal.db", "heal.db.new", "heal.db-journal", "heal.db.new-journal", "heal.lock"];

const DAEMONS: [&str; 2] = ["com.apple.mdmclient.daemon", "com.apple.softwareupdated"];

fn strace(mac: &HealMac, request: &str, fault: &[&str]) -> Command {
    let mut program = Command::new("strace");
    program.args(["-f", "-qq"]).args(fault);
    for file in FILES {
        let path = mac.state_dir().join(file);
        program.args(["-P", path.to_str().expect("a path").trim_end_matches('/')]);
    }
    program.arg(env!("CARGO_BIN_EXE_mdm-health")).arg("--root").arg(mac.root());
    program.args(["--now", NOW, "query", request]).env_remove("MDM_HEALTH_SOURCE");
    program
}

/// How often a call of that name touches the record in one request.
fn calls(request: &str, name: &str) -> Option<usize> {
    let mac = HealMac::stuck();
    let log = mac.root().join("calls");
    let trace = format!("trace={name}");
    let output = strace(&mac, request, &["-e", &trace, "-o", log.to_str()?]).output().ok()?;
    let calls = std::fs::read_to_string(log).ok()?.lines().filter(|line| line.contains(&format!("{name}("))).count();
    (output.status.success() && calls > 0).then_some(calls)
}

fn again(mac: &HealMac, request: &str) -> Output {
    for _ in 0..20 {
        let output = mac.program(&["query", request]).output().expect("run");
        // Between fork and exec a child of the killed process can still hold the lock.
        if !String::from_utf8_lossy(&output.stderr).contains("busy: ") {
            return output;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("heal is busy for seconds");
}

/// One request with a fault, and one without: each daemon is restarted once at most, and never without a record of it.
fn survives(request: &str, name: &str, fault: &str, at: usize) -> bool {
    let mac = HealMac::stuck();
    let (trace, inject) = (format!("trace={name}"), format!("inject={name}:{fault}:when={at}"));
    let first = strace(&mac, request, &["-e", &trace, "-e", &inject, "-o", "/dev/null"]).output().expect("run");
    let restarted: usize = DAEMONS.iter().map(|daemon| mac.restarts(daemon)).sum();
    let said_done = first.status.success();
    assert!(!said_done || restarted >= 1, "{inject}: it said so and did nothing");
    if restarted > 0 {
        let record = Connection::open(mac.state_dir().join("heal.db")).expect("a record");
        let sql = "SELECT count(*) FROM requests WHERE began_at IS NOT NULL AND action LIKE 'restart_%'";
        let on_record: i64 = record.query_row(sql, [], |row| row.get(0)).expect("a count");
        assert!(on_record >= restarted as i64, "{inject}: {restarted} restarts, {on_record} on record");
    }
    let second = again(&mac, request);
    for daemon in DAEMONS {
        let said = String::from_utf8_lossy(&second.stderr);
        assert!(mac.restarts(daemon) <= 1, "{inject}: {:?}: {said}", mac.acts());
    }
    restarted > 0
}

/// Every place at which such a call may fail or be the last, by two threads; with MDM_HEALTH_THOROUGH=1 for both requests.
/// How many places there were, and at how many a daemon had been restarted.
fn at_each(name: &str, fault: &str, usual_step: usize) -> (usize, usize) {
    let (mut tried, mut after) = (0, 0);
    for request in [RESTART, HEAL].into_iter().take(tries(1, 2)) {
        let Some(calls) = calls(request, name) else {
            eprintln!("not tested: strace is missing or not permitted");
            return (0, 0);
        };
        let places: Vec<usize> = (1..=calls).step_by(tries(usual_step, 1)).collect();
        let (left, right) = places.split_at(places.len() / 2);
        let run = |places: &[usize]| places.iter().filter(|at| survives(request, name, fault, **at)).count();
        let restarted = thread::scope(|scope| {
            let one = scope.spawn(|| run(left));
            run(right) + one.join().expect("no panic")
        });
        println!("{name}, {fault}: {} faults, {restarted} after a restart", places.len());
        (tried, after) = (tried + places.len(), after + restarted);
    }
    (tried, after)
}

#[test]
fn a_kill_at_any_write_leads_to_no_second_restart() {
    let (kills, after) = at_each("fsync", "signal=KILL", 1);
    assert!(kills == 0 || kills >= 10 && (1..kills).contains(&after), "{kills} kills, {after} after the restart");
    at_each("pwrite64", "signal=KILL", 20);
}

#[test]
fn a_disk_that_fails_at_any_write_leads_to_no_second_restart() {
    let (errors, after) = at_each("pwrite64", "error=EIO", 6);
    assert!(errors == 0 || errors >= 10 && (1..errors).contains(&after), "{errors} errors, {after} after the restart");
    at_each("fsync", "error=ENOSPC", 2);
}
