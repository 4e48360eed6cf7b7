//! Whether an update is being installed right now, so that nothing is restarted in the middle of it.
//!
//! Read anew for each restart, which is once a day at most: evidence a minute old may miss the beginning.

use crate::event::update::{Report, UpdateMessage};
use crate::event::{self, Event, EventKind};
use crate::host::{Host, LogSource};
use crate::log::{self, ReadOptions, install_log};
use crate::vocabulary::{Span, Time};
use chrono::TimeDelta;

/// How long an operation counts as under way after it was last heard of. Within one the lines come minutes apart
/// (up to 2.5 in a run of macOS 12.3); one that is silent for an hour is what heal is for.
const RECENT: TimeDelta = TimeDelta::hours(1);

/// softwareupdated's lines of the installer's log, which other programs fill too: this many bytes hold hours of them.
const INSTALL_LOG: &str = "/private/var/log/install.log";
const INSTALL_LOG_END: u64 = 512 << 10;

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
    let judged = |signs: Result<Signs, String>| match signs {
        Ok(signs) => judge(signs, now),
        Err(why) => InstallActivity::Unknown { why },
    };
    let unified = judged(unified_log(host, Span { from: now - RECENT, to: now }));
    let installer = judged(installers_log(host));
    match (unified, installer) {
        (told @ InstallActivity::Installing { .. }, _) | (_, told @ InstallActivity::Installing { .. }) => told,
        (told @ InstallActivity::Preparing { .. }, _) | (_, told @ InstallActivity::Preparing { .. }) => told,
        (told @ InstallActivity::Unknown { .. }, _) | (_, told) => told,
    }
}

/// What a log says of an operation, by its times.
type Signs = Vec<(Time, Sign)>;

/// What a line says of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// It installs.
    Installs,
    /// It fetches or prepares.
    Prepares,
    /// It has ended.
    Ended,
}

impl Sign {
    fn of(said: &UpdateMessage) -> Option<Self> {
        match said {
            UpdateMessage::Progress(progress) if &*progress.phase == "APPLYING" => Some(Self::Installs),
            UpdateMessage::Progress(progress) if progress.report == Report::End || &*progress.phase == "COMPLETED" => {
                Some(Self::Ended)
            }
            UpdateMessage::Progress(_) | UpdateMessage::PrepareContinues | UpdateMessage::BrainProgress { .. } => {
                Some(Self::Prepares)
            }
            // The restart into it is still to come.
            UpdateMessage::Applied => Some(Self::Installs),
            _ => None,
        }
    }

    fn of_event(event: &Event) -> Option<Self> {
        if let EventKind::Update(update) = &event.kind { Self::of(&update.message) } else { None }
    }
}

fn unified_log(host: &dyn Host, span: Span) -> Result<Signs, String> {
    let mut source = host.open_log(span, &event::predicate()).map_err(|error| format!("{error}."))?;
    let mut signs = Signs::new();
    let options = ReadOptions { may_matter: Some(event::may_matter), ..ReadOptions::default() };
    let read = log::read_log(&mut source, &options, |record| {
        signs.extend(event::recognise(record).and_then(|event| Some((event.at, Sign::of_event(&event)?))));
    });
    let ended = LogSource::finish(source);
    let summary = read.map_err(|error| format!("{error}."))?;
    ended.map_err(|error| format!("{error}."))?;
    if summary.complete == Some(false) || summary.broken.is_some() {
        return Err("The log was cut off.".to_owned());
    }
    if summary.lines_not_understood > 0 {
        return Err(format!("{} lines of the log could not be understood.", summary.lines_not_understood));
    }
    Ok(signs)
}

fn installers_log(host: &dyn Host) -> Result<Signs, String> {
    let end = host.read_file_end(INSTALL_LOG, INSTALL_LOG_END).map_err(|error| format!("{error}."))?;
    let mut signs = Signs::new();
    let read = install_log::read(end.bytes.as_slice(), |record| {
        // `2023-08-02 17:15:13+08 MacBook-Air softwareupdated[88542]: SUOSUServiceDaemon: progressInfo = {` (13.4.1): an
        // update is being fetched or prepared.
        let works = record.process == "softwareupdated" && record.message.contains("progressInfo = {");
        let sign = event::install_log::recognise(&record).and_then(|event| Sign::of_event(&event));
        signs.extend(sign.or(works.then_some(Sign::Prepares)).map(|sign| (record.at, sign)));
    });
    let summary = read.map_err(|why| format!("{INSTALL_LOG} cannot be read: {why}."))?;
    if summary.records == 0 && !end.bytes.is_empty() {
        return Err(format!("No line of {INSTALL_LOG} has the form of an installation log."));
    }
    Ok(signs)
}

/// An installation within the hour is one, whatever was said after it: no line is known that ends one but a restart.
/// Anything else is the preparation of one, unless the last line ends it: `(end): phase:COMPLETED`.
fn judge(mut signs: Signs, now: Time) -> InstallActivity {
    // A line may be newer than `now`, which was before the log was read.
    signs.retain(|(at, _)| (now - *at).abs() <= RECENT);
    signs.sort_by_key(|(at, _)| *at);
    if let Some((at, _)) = signs.iter().rev().find(|(_, sign)| *sign == Sign::Installs) {
        return InstallActivity::Installing { at: *at };
    }
    match signs.last() {
        Some((at, Sign::Prepares)) => InstallActivity::Preparing { at: *at },
        _ => InstallActivity::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::update::Progress;

    fn at(time: &str) -> Time {
        format!("2026-11-23T{time}Z").parse().expect("a time")
    }

    /// What is told at 18:00 of these progress lines.
    fn told(lines: &[(&str, Report, &str)]) -> InstallActivity {
        let sign = |(time, report, phase): &(&str, Report, &str)| {
            let progress = Progress {
                portion: None,
                report: *report,
                phase: (*phase).into(),
                stalled: None,
                written: None,
                expected: None,
                seconds_left: None,
            };
            (at(time), Sign::of(&UpdateMessage::Progress(progress)).expect("a sign"))
        };
        judge(lines.iter().map(sign).collect(), at("18:00:00"))
    }

    #[test]
    fn applying_is_an_installation_even_if_another_operation_completed_after_it() {
        let applying = ("17:40:00", Report::Start, "APPLYING");
        let installing = InstallActivity::Installing { at: at("17:40:00") };
        assert_eq!(told(&[applying]), installing);
        assert_eq!(told(&[applying, ("17:41:00", Report::End, "COMPLETED")]), installing);
    }

    #[test]
    fn a_phase_that_was_not_ended_is_a_preparation() {
        let preparing = InstallActivity::Preparing { at: at("17:58:00") };
        for phase in
            ["ACCEPTED", "PREFLIGHT_WAKEUP", "PREPARING_UPDATE", "PREPARED_COMMITTING_STASH", "DOWNLOADING_UPDATE"]
        {
            assert_eq!(
                told(&[("17:57:00", Report::End, "COMPLETED"), ("17:58:00", Report::Start, phase)]),
                preparing,
                "{phase}"
            );
        }
    }

    #[test]
    fn what_was_completed_or_is_an_hour_old_is_nothing_but_what_came_while_the_log_was_read_is_something() {
        assert_eq!(told(&[]), InstallActivity::None);
        assert_eq!(
            told(&[("17:58:00", Report::Start, "PREPARING_UPDATE"), ("17:59:00", Report::End, "COMPLETED")]),
            InstallActivity::None
        );
        assert_eq!(told(&[("16:59:59", Report::Start, "APPLYING")]), InstallActivity::None);
        assert_eq!(told(&[("19:00:01", Report::Start, "APPLYING")]), InstallActivity::None);
        let installing = InstallActivity::Installing { at: at("18:00:01") };
        assert_eq!(told(&[("18:00:01", Report::Start, "APPLYING")]), installing);
    }
}
