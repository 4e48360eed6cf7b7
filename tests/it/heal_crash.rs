//! Heal killed at any point, and requested by many at once.

use crate::support::heal_mac::HealMac;
use crate::support::random::Random;
use crate::support::tries;
use mdm_health::facts::record::{self, Entry};
use mdm_health::heal::Request;
use std::collections::HashMap;
use std::process::{Child, Output, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

const LABELS: [&str; 2] = ["com.apple.mdmclient.daemon", "com.apple.softwareupdated"];

/// In how many threads runs are killed.
const THREADS: usize = 2;

fn start(mac: &HealMac, action: &str, reason: &str) -> Child {
    let sql = format!("INSERT INTO mdm_heal(action, reason) VALUES ('{action}', '{reason}')");
    let mut program = mac.program(&["query", &sql]);
    program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
}

fn run(mac: &HealMac, action: &str, reason: &str) -> Output {
    start(mac, action, reason).wait_with_output().expect("ended")
}

fn entries(mac: &HealMac) -> Vec<Entry> {
    record::entries(&mac.live(), &mac.state_dir()).expect("a record that opens")
}

/// A Mac whose commands each take 10 ms.
fn slow() -> HealMac {
    let mac = HealMac::stuck();
    mac.set("delay", "0.01");
    mac
}

/// Kills a request after `part` of its time, makes another one, and checks what must hold at whichever point it was
/// killed. Returns the Mac and how far the first request got.
fn kill(number: usize, action: &str, part: Duration) -> (HealMac, &'static str) {
    let mac = slow();
    let mut first = start(&mac, action, "first");
    thread::sleep(part);
    first.kill().expect("killed");
    let answer = first.wait_with_output().expect("ended");

    let before = entries(&mac);
    let first = before.first();
    let stage = match first.map(|first| first.outcome.word()) {
        None => "before its row",
        Some("running") if mac.restarts(LABELS[0]) + mac.restarts(LABELS[1]) == 0 => "before a restart",
        Some("running") => "in the middle",
        Some(_) => "after it",
    };
    if answer.status.success() {
        assert!(first.is_some_and(|first| first.outcome.word() == "done"), "{number}: answered and not on record");
    }
    let mut asked = 1;
    let mut second = run(&mac, action, "second");
    // Between fork and exec a child of the killed process can still hold the lock.
    while String::from_utf8_lossy(&second.stderr).contains("busy: ") && asked < 10 {
        second = run(&mac, action, "second");
        asked += 1;
    }
    let after = entries(&mac);
    for (row, then) in after.iter().zip(&before) {
        assert_eq!(
            (row.id, &row.action, &row.reason),
            (then.id, &then.action, &then.reason),
            "{number}: a row was lost"
        );
    }
    let rows = after.iter().filter(|row| row.reason.as_deref() == Some("second")).count();
    assert_eq!(rows, asked, "{number}: {after:?}");
    assert!(after.iter().all(|row| row.outcome.word() != "running"), "{number}: {after:?}");
    // Each restart is recorded before it begins, and one that began is not repeated.
    let begun =
        |row: &&Entry| row.action.starts_with("restart_") && ["done", "interrupted"].contains(&row.outcome.word());
    if second.status.success() && action != "heal" {
        assert_eq!(after.iter().filter(|row| row.outcome.word() == "done").count(), 1, "{number}: {after:?}");
    }
    assert!(mac.acts().is_empty() || after.iter().any(|row| begun(&row)), "{number}: {after:?}");
    (mac, stage)
}

#[test]
fn killed_at_any_point_heal_never_restarts_twice_and_loses_no_row() {
    let kills = tries(30, 200);
    for action in ["restart_mdmclient", "heal"] {
        let measure = |_| {
            let (mac, start) = (slow(), Instant::now());
            assert!(run(&mac, action, "first").status.success());
            start.elapsed()
        };
        let mut whole = (0..3).map(measure).min().expect("a time");
        let (mut macs, mut stages) = (Vec::new(), HashMap::<_, u32>::new());
        // On a machine that has become busy since, a run takes longer than it did.
        while !stages.contains_key("in the middle") && macs.len() < 8 * kills {
            thread::scope(|scope| {
                // Spread evenly over the run and slightly beyond, with some jitter.
                let part = move |number: usize| {
                    let place = number as f64 + Random(number as u64).below(1000) as f64 / 1000.0;
                    whole.mul_f64(place / kills as f64 / 0.9)
                };
                let work = |thread| {
                    move || {
                        let numbers = (thread..kills).step_by(THREADS);
                        numbers.map(|number| kill(number, action, part(number))).collect::<Vec<_>>()
                    }
                };
                let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(work(thread))).collect();
                for (mac, stage) in threads.into_iter().flat_map(|thread| thread.join().expect("no panic")) {
                    macs.push(mac);
                    *stages.entry(stage).or_default() += 1;
                }
            });
            println!("{action}, {whole:?}: {stages:?}");
            whole = whole.mul_f64(1.5);
        }
        // Checked last: the commands of a killed run continue on their own.
        for mac in &macs {
            for label in LABELS {
                assert!(mac.restarts(label) <= 1, "{:?}", mac.acts());
            }
        }
        assert!(stages.contains_key("in the middle"), "the kills did not fall all over the run: {stages:?}");
    }
}

/// One row for each request; exactly one restarted the daemon.
fn one_restart_among(mac: &HealMac, asked: usize, answers: &[bool]) {
    assert_eq!((answers.len(), answers.iter().filter(|answer| **answer).count()), (asked, 1));
    let rows = entries(mac);
    assert_eq!(rows.len(), asked);
    let refused: Vec<&Entry> = rows.iter().filter(|row| row.outcome.word() == "refused").collect();
    assert_eq!(refused.len(), asked - 1, "{rows:?}");
    assert!(
        refused.iter().all(|row| row.detail.starts_with("busy: ") || row.detail.starts_with("too_soon: ")),
        "{refused:?}"
    );
    assert_eq!(mac.acts(), ["launchctl kickstart -k system/com.apple.mdmclient.daemon"]);
}

#[test]
fn of_many_processes_at_once_only_one_restarts() {
    let (mac, many) = (slow(), tries(16, 50));
    let programs: Vec<Child> = (0..many).map(|number| start(&mac, "restart_mdmclient", &number.to_string())).collect();
    let answers: Vec<bool> =
        programs.into_iter().map(|program| program.wait_with_output().expect("ended").status.success()).collect();
    one_restart_among(&mac, many, &answers);
}

#[test]
fn of_sixteen_threads_at_once_only_one_restarts() {
    let mac = slow();
    let healer = mac.healer(&mac.collector(Box::new(mac.live())), Duration::from_secs(60));
    let together = Barrier::new(16);
    let ask = || {
        together.wait();
        healer.request(&Request::new("restart_mdmclient", None)).is_ok()
    };
    let answers: Vec<bool> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    one_restart_among(&mac, 16, &answers);
}

/// A run was killed during a restart and left its row open: the next request closes it, and it counts.
#[test]
fn an_interrupted_restart_counts_against_the_limit() {
    let mac = HealMac::stuck();
    mac.set("launchctl", "hangs");
    let mut first = start(&mac, "restart_mdmclient", "first");
    while mac.restarts(LABELS[0]) == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    first.kill().and_then(|()| first.wait()).expect("killed");
    mac.set("launchctl", "works");
    let query = "SELECT mdm_client_restarted IS NULL AS unknown FROM mdm_watchdog";
    let found = mac.program(&["query", "--csv", query]).output().expect("run").stdout;
    assert_eq!(String::from_utf8_lossy(&found), "unknown\n1\n", "whether it worked is unknown");
    let second = run(&mac, "restart_mdmclient", "second");
    assert!(String::from_utf8_lossy(&second.stderr).starts_with("mdm-health: mdm_heal: too_soon: "));
    let rows = entries(&mac);
    let found: Vec<_> = rows.iter().map(|row| (row.outcome.word(), row.pid_before, row.finished_at)).collect();
    assert_eq!(found[0], ("interrupted", Some(300), None));
    assert_eq!(found[1].0, "refused");
    assert_eq!(rows[0].detail, "mdm-health ended in the middle of it; it counts as a restart.");
    assert_eq!(mac.restarts(LABELS[0]), 1);
}
