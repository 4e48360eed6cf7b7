//! Whether an update is being installed right now, so that nothing is restarted in the middle of it.
//!
//! Read anew for each restart, which is once a day at most: evidence a minute old may miss the beginning.

use crate::Time;
use crate::host::{Daemon, Host, LogSource, Span};
use crate::log::{self, LogRecord, ReadOptions};
use chrono::{DateTime, TimeDelta};

/// How long an operation counts as under way after it was last heard of. Within one the lines come minutes apart
/// (up to 2.5 in a run of macOS 12.3); one that is silent for an hour is what heal is for.
const RECENT: TimeDelta = TimeDelta::hours(1);

/// softwareupdated's lines of the installer's log, which other programs fill too: this many bytes hold hours of them.
const INSTALL_LOG: &str = "/private/var/log/install.log";
const INSTALL_LOG_TAIL: usize = 512 << 10;

/// What is being installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallActivity {
    /// Nothing was heard of.
    None,
    /// An update is being fetched or prepared; it can begin again.
    Preparing {
        /// When that was last heard of.
        at: Time,
    },
    /// An update is being installed.
    Installing {
        /// When that was last heard of.
        at: Time,
    },
    /// It could not be told.
    Unknown {
        /// Why, as a sentence.
        why: String,
    },
}

/// Looks at the unified log and at the installer's log. Each alone may miss something, so both have to be read.
pub fn look(host: &dyn Host, now: Time) -> InstallActivity {
    let lines = match progress_lines(host, Span { from: now - RECENT, to: now }) {
        Ok(lines) => lines,
        Err(why) => return InstallActivity::Unknown { why },
    };
    let told = by_progress(&lines, now);
    if told != InstallActivity::None {
        return told;
    }
    match host.read_tail(INSTALL_LOG, INSTALL_LOG_TAIL) {
        Ok(tail) => by_install_log(&String::from_utf8_lossy(&tail), now),
        Err(error) => InstallActivity::Unknown { why: format!("{error}.") },
    }
}

/// A progress line of softwareupdated.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Progress {
    at: Time,
    /// `start`, `inter` or `end`.
    kind: Box<str>,
    phase: Box<str>,
}

fn progress_lines(host: &dyn Host, span: Span) -> Result<Vec<Progress>, String> {
    let mut source = host.open_log(span).map_err(|error| format!("{error}."))?;
    let mut lines = Vec::new();
    let read = log::read_log(&mut source, &ReadOptions::default(), |record| lines.extend(progress(record)));
    let ended = LogSource::finish(source);
    let summary = read.map_err(|error| format!("{error}."))?;
    ended.map_err(|error| format!("{error}."))?;
    if summary.complete == Some(false) || summary.broken.is_some() {
        return Err("The log was cut off.".to_owned());
    }
    lines.sort_by_key(|line: &Progress| line.at);
    Ok(lines)
}

/// `[SUMacControllerProgressManager] Reported progress (start): phase:APPLYING stalled:NO portionComplete:0.010000
/// estimatedTimeRemaining:-1.000000` (macOS 12.3 to 13.3)
fn progress(record: &LogRecord<'_>) -> Option<Progress> {
    if !record.speaker.is(Daemon::Softwareupdated.image()) {
        return None;
    }
    let (_, behind) = record.message.split_once("Reported progress (")?;
    let (kind, rest) = behind.split_once("): phase:")?;
    let phase = rest.split_whitespace().next()?;
    Some(Progress { at: record.at, kind: kind.into(), phase: phase.into() })
}

/// APPLYING within the hour is an installation, whatever was said after it: no line is known that ends one but a
/// restart. Any other phase is the preparation of one, unless the last line ends it: `(end): phase:COMPLETED`.
fn by_progress(lines: &[Progress], now: Time) -> InstallActivity {
    let recent = || lines.iter().rev().filter(|line| is_recent(line.at, now));
    if let Some(line) = recent().find(|line| line.phase.as_ref() == "APPLYING") {
        return InstallActivity::Installing { at: line.at };
    }
    match recent().next() {
        Some(line) if line.kind.as_ref() != "end" && line.phase.as_ref() != "COMPLETED" => {
            InstallActivity::Preparing { at: line.at }
        }
        _ => InstallActivity::None,
    }
}

/// `2023-08-02 17:15:13+08 MacBook-Air softwareupdated[88542]: SUOSUServiceDaemon: progressInfo = {`: an update is
/// being fetched or prepared. No line of this log is known that says that one is being installed.
fn by_install_log(tail: &str, now: Time) -> InstallActivity {
    let told = tail.lines().filter(|line| line.contains(" softwareupdated[") && line.contains("progressInfo = {"));
    let last = told.filter_map(line_time).filter(|at| is_recent(*at, now)).max();
    last.map_or(InstallActivity::None, |at| InstallActivity::Preparing { at })
}

/// A line may be newer than `now`, which was before the log was read.
fn is_recent(at: Time, now: Time) -> bool {
    (now - at).abs() <= RECENT
}

/// The time that a line begins with. Its offset is `-04`, `+08` or `+05:30`.
fn line_time(line: &str) -> Option<Time> {
    let (date, rest) = line.split_once(' ')?;
    let time = rest.split(' ').next()?;
    let hours_only = time.len() == "17:15:13+08".len();
    let text = format!("{date}T{time}{}", if hours_only { ":00" } else { "" });
    DateTime::parse_from_rfc3339(&text).ok().map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        DateTime::parse_from_rfc3339(text).expect("a time").to_utc()
    }

    fn lines(phases: &[(&str, &str, &str)]) -> Vec<Progress> {
        let line = |(time, kind, phase): &(&str, &str, &str)| Progress {
            at: at(&format!("2026-11-23T{time}Z")),
            kind: (*kind).into(),
            phase: (*phase).into(),
        };
        phases.iter().map(line).collect()
    }

    fn told(phases: &[(&str, &str, &str)]) -> InstallActivity {
        by_progress(&lines(phases), at("2026-11-23T18:00:00Z"))
    }

    #[test]
    fn applying_is_an_installation_even_if_another_operation_completed_after_it() {
        let applying = ("17:40:00", "start", "APPLYING");
        let installing = InstallActivity::Installing { at: at("2026-11-23T17:40:00Z") };
        assert_eq!(told(&[applying]), installing);
        assert_eq!(told(&[applying, ("17:41:00", "end", "COMPLETED")]), installing);
    }

    #[test]
    fn a_phase_that_was_not_ended_is_a_preparation() {
        let preparing = InstallActivity::Preparing { at: at("2026-11-23T17:58:00Z") };
        for phase in
            ["ACCEPTED", "PREFLIGHT_WAKEUP", "PREPARING_UPDATE", "PREPARED_COMMITTING_STASH", "DOWNLOADING_UPDATE"]
        {
            assert_eq!(told(&[("17:57:00", "end", "COMPLETED"), ("17:58:00", "start", phase)]), preparing, "{phase}");
        }
    }

    #[test]
    fn what_was_completed_or_is_an_hour_old_is_nothing_but_what_came_while_the_log_was_read_is_something() {
        assert_eq!(told(&[]), InstallActivity::None);
        assert_eq!(
            told(&[("17:58:00", "start", "PREPARING_UPDATE"), ("17:59:00", "end", "COMPLETED")]),
            InstallActivity::None
        );
        assert_eq!(told(&[("16:59:59", "start", "APPLYING")]), InstallActivity::None);
        assert_eq!(told(&[("19:00:01", "start", "APPLYING")]), InstallActivity::None);
        let installing = InstallActivity::Installing { at: at("2026-11-23T18:00:01Z") };
        assert_eq!(told(&[("18:00:01", "start", "APPLYING")]), installing);
    }

    #[test]
    fn the_installers_log_is_read_with_each_of_its_offsets() {
        let now = at("2023-08-02T09:30:00Z");
        let preparing = InstallActivity::Preparing { at: at("2023-08-02T09:15:13Z") };
        for time in ["2023-08-02 17:15:13+08", "2023-08-02 05:15:13-04", "2023-08-02 14:45:13+05:30"] {
            let tail = format!(
                "{time} MacBook-Air softwareupdated[88542]: SUOSUServiceDaemon: progressInfo = {{\n    progress = 100;\n}}\n"
            );
            assert_eq!(by_install_log(&tail, now), preparing, "{time}");
        }
        let other = "2023-08-02 17:15:13+08 MacBook-Air softwareupdated[88542]: SUScan: Elapsed scan time = 4.5\ncut";
        assert_eq!(by_install_log(other, now), InstallActivity::None);
    }
}
