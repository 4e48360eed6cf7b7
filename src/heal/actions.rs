//! Restarting a daemon: the steps, and whether its pid says that they worked.
//!
//! `launchctl kickstart -k` comes first. From macOS 14.4 on it may be refused for critical processes, with `Could not
//! kickstart service "com.apple.audio.coreaudiod": 1: Operation not permitted` (exit code 1, 14.4) or `…: 150:
//! Operation not permitted while System Integrity Protection is engaged` (exit code 150, 15 and 26). Only then, when
//! launchd has certainly done nothing, the daemon gets a signal, and launchd starts it again: at once or, as it does
//! with mdmclient, when it is needed.
//!
//! A signal goes to a pid, and between the look and the signal the process may have ended and another one got its pid.
//! So the look is taken again right before it, and must show the very process that was there at the beginning, and no
//! other. What is left is a few milliseconds, in which macOS would have to go through all its other pids (it hands them
//! out in order, up to 99998).

use super::limits::Refusal;
use super::processes::{Processes, only};
use super::request::Conclusion;
use crate::host::{Act, Actor, Daemon, Host, HostError, Output};
use crate::vocabulary::codes::{HealMethod, HealOutcome};
use std::time::{Duration, Instant};

/// How often, how far apart and how long at most to look for a new pid.
const LOOKS: u32 = 16;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

/// The longest text of a step that is kept, in characters.
const MAX_TEXT: usize = 200;

/// The restart of one daemon.
pub struct Restart<'m> {
    pub host: &'m dyn Host,
    pub actor: &'m Actor,
    pub daemon: Daemon,
    pub before: &'m Processes,
}

impl Restart<'_> {
    /// `record` writes each step down before the next one is taken; if it cannot, no further step is taken.
    /// `still_allowed` is asked before the first step that could disturb an update; if it refuses, the daemon is left
    /// alone.
    pub fn run<E>(
        &self,
        mut record: impl FnMut(String) -> Result<(), E>,
        still_allowed: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<Result<Conclusion, Refusal>, E> {
        let mut step = |act: Act| {
            let result = self.actor.act(act);
            record(sentence(act, &result)).map(|()| result)
        };
        let updates = self.daemon == Daemon::Softwareupdated;
        if updates {
            let _ = step(Act::FlushNames)?;
            let _ = step(Act::ReloadNames)?;
        }
        if let Err(refusal) = still_allowed() {
            return Ok(Err(refusal));
        }
        if updates {
            let _ = step(Act::EndUpdateBrain)?;
        }
        let kickstart = step(Act::Kickstart(self.daemon))?;
        Ok(Ok(match &kickstart {
            Ok(output) if output.code == Some(0) => {
                self.conclude(HealMethod::Kickstart, output.code, self.wait_for_change())
            }
            Ok(output) if is_refusal(output) => match self.to_signal() {
                Err(why) => self.none_worked(output.code, &format!("launchctl was refused, and {why}")),
                Ok(pid) => match step(Act::Terminate(pid))? {
                    Ok(kill) if kill.code == Some(0) => {
                        self.conclude(HealMethod::Signal, kill.code, self.wait_for_change())
                    }
                    Ok(kill) => self.none_worked(kill.code, "launchctl and kill were both refused"),
                    // Whether the signal was sent is unknown.
                    Err(_) => self.conclude(HealMethod::Signal, None, self.look()),
                },
            },
            // The pid of a daemon that runs on demand changes by itself, and would prove nothing here.
            Ok(output) => self.none_worked(output.code, "launchctl could not do it"),
            // launchd may still be at work: nothing more is done, but the pid has the last word.
            Err(_) => self.conclude(HealMethod::Kickstart, None, self.look()),
        }))
    }

    /// The pid that may get a signal: the one from before, and no other.
    fn to_signal(&self) -> Result<u32, String> {
        let before = &self.before.pids;
        let now = self.before.again(self.host, self.daemon).map_err(|error| format!("it got no signal: {error}"))?;
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

    fn look(&self) -> Change {
        let before = &self.before.pids;
        match self.before.again(self.host, self.daemon) {
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

    /// Looks until there is a new process, for a few seconds at most.
    fn wait_for_change(&self) -> Change {
        let start = Instant::now();
        let mut seen = self.look();
        for _ in 1..LOOKS {
            if matches!(seen, Change::New(_) | Change::Unknown(_)) || start.elapsed() > LONGEST {
                break;
            }
            self.actor.pause(BETWEEN_LOOKS);
            seen = self.look();
        }
        seen
    }

    fn conclude(&self, method: HealMethod, exit_code: Option<i32>, change: Change) -> Conclusion {
        let (name, before) = (self.daemon.name(), self.before);
        let (outcome, pid_after, detail) = match change {
            Change::New(pid) => (HealOutcome::Done, pid, format!("{name} was restarted.")),
            Change::Gone => {
                let detail = format!("The process of {name} was ended; launchd starts it again when it is needed.");
                (HealOutcome::Done, None, detail)
            }
            Change::Same if before.pids.is_empty() => {
                (HealOutcome::Failed, None, format!("{name} was not running before and is not now."))
            }
            Change::Same => {
                let why = match method {
                    HealMethod::Kickstart => "its process is still the same",
                    // SIGKILL is not sent: a daemon that does not end may be writing a file.
                    HealMethod::Signal => {
                        "it got SIGTERM and its process is still the same. It may still end; if it does not, restart the Mac"
                    }
                };
                (HealOutcome::Failed, before.only(), format!("{name} was not restarted: {why}."))
            }
            Change::Unknown(error) => {
                let detail = format!("Whether {name} was restarted is unknown: {error}.");
                (HealOutcome::Unconfirmed, None, detail)
            }
        };
        Conclusion {
            method: (outcome == HealOutcome::Done).then_some(method),
            pid_before: before.only(),
            pid_after,
            exit_code,
            ..Conclusion::new(outcome, detail)
        }
    }

    fn none_worked(&self, exit_code: Option<i32>, why: &str) -> Conclusion {
        Conclusion {
            pid_before: self.before.only(),
            exit_code,
            ..Conclusion::new(HealOutcome::Failed, format!("{} was not restarted: {why}.", self.daemon.name()))
        }
    }
}

/// What became of a daemon's process.
enum Change {
    /// There is a new one and an old one is gone, or there was none.
    New(Option<u32>),
    /// The old one is gone; launchd starts the next when it is needed.
    Gone,
    Same,
    Unknown(HostError),
}

/// Whether launchd says that it may not.
fn is_refusal(output: &Output) -> bool {
    output.code == Some(150) || (output.code != Some(0) && output.stderr.contains("Operation not permitted"))
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
    use crate::host::Command;

    /// The longest way: everything takes as long as it may, launchctl says no at the last moment, and the signal
    /// changes nothing. A look is one command, in the way that worked at the beginning.
    #[test]
    fn a_restart_ends_within_half_a_minute() {
        let look = Command::Processes.limit().max(Command::Job(Daemon::Mdmclient).limit());
        let acts = [Act::FlushNames, Act::ReloadNames, Act::EndUpdateBrain]
            .into_iter()
            .chain([Act::Kickstart(Daemon::Softwareupdated), Act::Terminate(2)]);
        let longest = acts.map(Act::limit).sum::<Duration>() + look * 2 + BETWEEN_LOOKS + LONGEST + look;
        assert!(longest <= Duration::from_secs(30), "{longest:?}");
        assert!(BETWEEN_LOOKS * LOOKS <= LONGEST);
    }
}
