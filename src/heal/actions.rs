//! Restarting a daemon: the steps, and whether its pid says that they worked.
//!
//! `launchctl kickstart -k` comes first. From macOS 14.4 on it may be refused for critical processes, with `Could not
//! kickstart service "com.apple.audio.coreaudiod": 1: Operation not permitted` (exit code 1, 14.4) or `…: 150:
//! Operation not permitted while System Integrity Protection is engaged` (exit code 150, 15 and 26). Only then, when
//! launchd has certainly done nothing, the daemon gets a signal, and launchd starts it again: at once or, as it does
//! with mdmclient, when it is needed.
//!
//! A signal goes to a pid, and between the look and the signal the process may have ended and another one got its pid.
//! So the look is taken anew right before it, and must show the very process that was there at the beginning, alone
//! and by its full image path. What is left is the time between `ps` and `kill`, a few milliseconds, in which macOS
//! would have to go through all its other pids (it hands them out in order, up to 99998).

use super::Conclusion;
use crate::host::{Act, Actor, Command, Daemon, Host, HostError, Output};
use crate::vocabulary::codes::{HealMethod, HealOutcome};
use std::time::{Duration, Instant};

/// How often, how far apart and how long at most to look for a new pid.
const LOOKS: u32 = 16;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

/// The longest text of a step that is kept, in characters.
const MAX_TEXT: usize = 200;

/// The pids of a daemon's processes.
///
/// A line of `ps -axww -o pid= -o ppid= -o uid= -o comm=` is `  378     1   200 /System/Library/CoreServices/Software
/// Update.app/Contents/Resources/softwareupdated`; comm is the full image path on a Mac. A daemon is a child of
/// launchd (1); an `mdmclient` that somebody runs by hand is not.
pub fn pids(host: &dyn Host, daemon: Daemon) -> Result<Vec<u32>, HostError> {
    let path = || Command::Processes.path().into();
    let output = host.run(Command::Processes)?;
    if output.code != Some(0) {
        return Err(HostError::Failed { path: path(), code: output.code, stderr: output.stderr });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let processes: Vec<Process<'_>> = text.lines().filter_map(process).collect();
    // launchd itself is always there; a list without it is none.
    if !processes.iter().any(|process| process.pid == 1) {
        return Err(HostError::Failed { path: path(), code: output.code, stderr: "it lists no processes".to_owned() });
    }
    // launchd's own pid, or 0 for a whole group, must never get a signal, whatever a list says.
    let fits = |process: &&Process<'_>| {
        process.pid > 1
            && process.parent == 1
            && process.image == daemon.image()
            && daemon.uid().is_none_or(|uid| process.uid == uid)
    };
    Ok(processes.iter().filter(fits).map(|process| process.pid).collect())
}

struct Process<'a> {
    pid: u32,
    parent: u32,
    uid: u32,
    image: &'a str,
}

fn process(line: &str) -> Option<Process<'_>> {
    let (pid, rest) = line.trim().split_once(char::is_whitespace)?;
    let (parent, rest) = rest.trim_start().split_once(char::is_whitespace)?;
    let (uid, image) = rest.trim_start().split_once(char::is_whitespace)?;
    Some(Process { pid: pid.parse().ok()?, parent: parent.parse().ok()?, uid: uid.parse().ok()?, image: image.trim() })
}

/// The pid, if there is exactly one.
pub fn only(pids: &[u32]) -> Option<u32> {
    match pids {
        [pid] => Some(*pid),
        _ => None,
    }
}

/// Restarts a daemon whose pids were `before`. `record` writes each step down before the next is taken; if it cannot,
/// no further step is.
pub fn restart<E>(
    host: &dyn Host,
    actor: &Actor,
    daemon: Daemon,
    before: &[u32],
    mut record: impl FnMut(String) -> Result<(), E>,
) -> Result<Conclusion, E> {
    let mut step = |act: Act| {
        let result = actor.act(act);
        record(sentence(act, &result)).map(|()| result)
    };
    if daemon == Daemon::Softwareupdated {
        for act in [Act::FlushNames, Act::ReloadNames, Act::EndUpdateBrain] {
            let _ = step(act)?;
        }
    }
    let kickstart = step(Act::Kickstart(daemon))?;
    match &kickstart {
        Ok(output) if output.code == Some(0) => {
            let change = wait_for_change(host, actor, daemon, before);
            Ok(conclude(daemon, before, HealMethod::Kickstart, output.code, change))
        }
        Ok(output) if is_refusal(output) => {
            let pid = match to_signal(host, daemon, before) {
                Ok(pid) => pid,
                Err(why) => {
                    return Ok(none_worked(daemon, before, output.code, &format!("launchctl was refused, and {why}")));
                }
            };
            match step(Act::Terminate(pid))? {
                Ok(kill) if kill.code == Some(0) => {
                    let change = wait_for_change(host, actor, daemon, before);
                    Ok(conclude(daemon, before, HealMethod::Signal, kill.code, change))
                }
                Ok(kill) => Ok(none_worked(daemon, before, kill.code, "launchctl and kill were both refused")),
                // It may be sent or not.
                Err(_) => Ok(conclude(daemon, before, HealMethod::Signal, None, look(host, daemon, before))),
            }
        }
        // The pid of a daemon that runs on demand changes by itself, and would prove nothing here.
        Ok(output) => Ok(none_worked(daemon, before, output.code, "launchctl could not do it")),
        // launchd may be at it still: nothing more is done, but the pid has the last word.
        Err(_) => Ok(conclude(daemon, before, HealMethod::Kickstart, None, look(host, daemon, before))),
    }
}

/// Whether launchd says that it may not.
fn is_refusal(output: &Output) -> bool {
    output.code == Some(150) || (output.code != Some(0) && output.stderr.contains("Operation not permitted"))
}

/// The pid that a signal may go to: the one that was there before, and nothing but that.
fn to_signal(host: &dyn Host, daemon: Daemon, before: &[u32]) -> Result<u32, String> {
    let now = pids(host, daemon).map_err(|error| format!("it got no signal: {error}"))?;
    match (only(before), only(&now)) {
        (Some(then), Some(now)) if then == now => Ok(now),
        (None, None) if before.is_empty() && now.is_empty() => {
            Err("it was not running, so there was nothing to end".to_owned())
        }
        _ => Err(format!(
            "it got no signal, because its process is not one and the same: {before:?} before, {now:?} now"
        )),
    }
}

/// What became of a daemon's process.
enum Change {
    /// There is a new one and an old one is gone, or there was none.
    New(Option<u32>),
    /// The old one is gone; launchd starts the next when it is needed.
    Gone,
    /// Nothing changed.
    Same,
    /// It cannot be told.
    Unknown(HostError),
}

fn look(host: &dyn Host, daemon: Daemon, before: &[u32]) -> Change {
    match pids(host, daemon) {
        Err(error) => Change::Unknown(error),
        Ok(now) => {
            let gone = before.iter().any(|pid| !now.contains(pid));
            let new = now.iter().copied().find(|pid| !before.contains(pid));
            match (new, gone) {
                (Some(_), _) if gone || before.is_empty() => Change::New(only(&now).or(new)),
                (None, true) => Change::Gone,
                _ => Change::Same,
            }
        }
    }
}

/// Looks until there is a new process, or not for long.
fn wait_for_change(host: &dyn Host, actor: &Actor, daemon: Daemon, before: &[u32]) -> Change {
    let start = Instant::now();
    let mut seen = look(host, daemon, before);
    for _ in 1..LOOKS {
        if matches!(seen, Change::New(_) | Change::Unknown(_)) || start.elapsed() > LONGEST {
            break;
        }
        actor.pause(BETWEEN_LOOKS);
        seen = look(host, daemon, before);
    }
    seen
}

fn conclude(daemon: Daemon, before: &[u32], method: HealMethod, exit_code: Option<i32>, change: Change) -> Conclusion {
    let name = daemon.name();
    let (outcome, pid_after, detail) = match change {
        Change::New(pid) => (HealOutcome::Done, pid, format!("{name} was restarted.")),
        Change::Gone => (
            HealOutcome::Done,
            None,
            format!("The process of {name} was ended; launchd starts it again when it is needed."),
        ),
        Change::Same if before.is_empty() => {
            (HealOutcome::Failed, None, format!("{name} was not running before and is not now."))
        }
        Change::Same => {
            (HealOutcome::Failed, only(before), format!("{name} was not restarted: its process is still the same."))
        }
        Change::Unknown(error) => {
            let detail = format!("Whether {name} was restarted could not be told: {error}.");
            (HealOutcome::Unconfirmed, None, detail)
        }
    };
    Conclusion {
        method: (outcome == HealOutcome::Done).then_some(method),
        pid_before: only(before),
        pid_after,
        exit_code,
        ..Conclusion::new(outcome, detail)
    }
}

fn none_worked(daemon: Daemon, before: &[u32], exit_code: Option<i32>, why: &str) -> Conclusion {
    Conclusion {
        pid_before: only(before),
        exit_code,
        ..Conclusion::new(HealOutcome::Failed, format!("{} was not restarted: {why}.", daemon.name()))
    }
}

/// `launchctl kickstart -k system/com.apple.softwareupdated: exit code 1 (…).`
fn sentence(act: Act, result: &Result<Output, HostError>) -> String {
    let line = act.line();
    match result {
        Err(error) => format!("{line}: {error}."),
        Ok(output) => {
            let said = if output.stderr.is_empty() {
                String::from_utf8_lossy(&output.stdout)
            } else {
                (&output.stderr).into()
            };
            let said: String = said.trim().chars().take(MAX_TEXT).collect();
            let code = output.code.map_or_else(|| "ended by a signal".to_owned(), |code| format!("exit code {code}"));
            if said.is_empty() { format!("{line}: {code}.") } else { format!("{line}: {code} ({said}).") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest way: everything takes as long as it may, launchctl says no at the last moment, and the signal
    /// changes nothing.
    #[test]
    fn a_restart_ends_within_half_a_minute() {
        let look = Command::Processes.limit();
        let acts = [Act::FlushNames, Act::ReloadNames, Act::EndUpdateBrain]
            .into_iter()
            .chain([Act::Kickstart(Daemon::Softwareupdated), Act::Terminate(2)]);
        let longest = acts.map(Act::limit).sum::<Duration>() + look * 2 + BETWEEN_LOOKS + LONGEST + look;
        assert!(longest <= Duration::from_secs(30), "{longest:?}");
        assert!(BETWEEN_LOOKS * LOOKS <= LONGEST);
    }

    #[test]
    fn only_the_daemon_itself_fits() {
        let line =
            "  378     1   200 /System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated";
        let process = process(line).expect("a process");
        assert_eq!(
            (process.pid, process.parent, process.uid, process.image),
            (378, 1, 200, Daemon::Softwareupdated.image())
        );
        for line in ["", "378", "378 1", "378 1 200", "x 1 200 /usr/libexec/mdmclient", "-1 1 0 /usr/libexec/mdmclient"]
        {
            assert!(super::process(line).is_none(), "{line}");
        }
    }
}
