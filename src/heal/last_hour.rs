//! What the logs say of the last hour: whether an update is being installed, so that nothing is restarted in the middle
//! of it, and whether the server has accepted a request, which a client that hangs cannot bring about.
//!
//! Read again for each restart, and once more right before it: evidence a minute old may miss the beginning.

use crate::event::answer::Answer;
use crate::event::update::{ReportKind, UpdateMessage};
use crate::event::{self, Event, EventKind};
use crate::facts::zone::Zone;
use crate::host::{Host, HostError, LogSource};
use crate::log::old_dates::OldDates;
use crate::log::{self, ReadOptions, install_log};
use crate::vocabulary::{Span, Time};
use chrono::TimeDelta;
use std::io::ErrorKind;

/// How long an operation counts as under way after it was last heard of. Within one the lines come minutes apart
/// (up to 2.5 in a run of macOS 12.3); one that is silent for an hour is what heal is for.
const RECENT: TimeDelta = TimeDelta::hours(1);

/// How much earlier than the last look the next one begins: the log shows some records late.
const OVERLAP: TimeDelta = TimeDelta::minutes(1);

/// softwareupdated's lines of the installer's log, which other programs fill too.
const INSTALL_LOG: &str = "/private/var/log/install.log";

/// How much of its end is read, in bytes: usually days of it.
const INSTALL_LOG_END: u64 = 8 << 20;

/// What the last hour says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastHour {
    /// What the unified log says about an installation, using only records that name the user who wrote them. Only the
    /// system's own programs can have written those.
    pub proven: Installing,
    /// What install.log and records without a user say. Any user can write to install.log, so it may delay a restart and
    /// decides nothing else.
    pub said: Installing,
    /// When the server last accepted a request on the device channel.
    pub success_at: Option<Time>,
    /// When it was looked at.
    at: Time,
}

/// Whether an update is being installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installing {
    /// Nothing was heard of one.
    No,
    /// An update was being downloaded or prepared at that moment; it can begin again.
    Preparing { at: Time },
    /// An update was being installed at that moment.
    Yes { at: Time },
    /// Why it is unknown, as a sentence.
    Unknown { why: String },
}

impl LastHour {
    /// Reads the unified log and install.log. Each alone may miss something, so both have to be read.
    pub fn look(host: &dyn Host, now: Time) -> Self {
        Self::since(host, now - RECENT, now)
    }

    /// Looks again at what was written since.
    pub fn look_again(&self, host: &dyn Host, now: Time) -> Self {
        // A clock that was set back meanwhile must not leave a hole.
        Self::since(host, (self.at - OVERLAP).min(now - OVERLAP), now)
    }

    fn since(host: &dyn Host, from: Time, now: Time) -> Self {
        let (proven, mut said, success_at) = match unified_log(host, Span { from, to: now }) {
            Ok(UnifiedLog { proven, said, success_at }) => (judge(proven, now), said, success_at),
            Err(why) => (Installing::Unknown { why }, Signs::new(), None),
        };
        let said = match installers_log(host, now) {
            Ok(signs) => {
                said.extend(signs);
                judge(said, now)
            }
            Err(why) => Installing::Unknown { why },
        };
        Self { proven, said, success_at, at: now }
    }

    /// The worse of the two.
    pub fn worst(&self) -> &Installing {
        fn rank(installing: &Installing) -> u8 {
            match installing {
                Installing::Yes { .. } => 3,
                Installing::Preparing { .. } => 2,
                Installing::Unknown { .. } => 1,
                Installing::No => 0,
            }
        }
        if rank(&self.said) > rank(&self.proven) { &self.said } else { &self.proven }
    }
}

/// What a log says of an operation, by its times.
type Signs = Vec<(Time, Sign)>;

/// What a line says of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Installs,
    /// It downloads or prepares.
    Prepares,
    Ended,
}

impl Sign {
    fn of(said: &UpdateMessage) -> Option<Self> {
        match said {
            UpdateMessage::Progress(progress) if &*progress.phase == "APPLYING" => Some(Self::Installs),
            UpdateMessage::Progress(progress)
                if progress.report == ReportKind::End || &*progress.phase == "COMPLETED" =>
            {
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

/// What the unified log says.
#[derive(Default)]
struct UnifiedLog {
    /// By records that name the user who wrote them.
    proven: Signs,
    said: Signs,
    success_at: Option<Time>,
}

fn unified_log(host: &dyn Host, span: Span) -> Result<UnifiedLog, String> {
    let mut source = host.open_log(span, &event::predicate()).map_err(|error| format!("{error}."))?;
    let mut found = UnifiedLog::default();
    let options = ReadOptions { may_matter: Some(event::may_matter), ..ReadOptions::default() };
    let read = log::read_log(&mut source, &options, |record| {
        let Some(event) = event::recognise(record) else { return };
        let signs = if event.attributed { &mut found.proven } else { &mut found.said };
        signs.extend(Sign::of_event(&event).map(|sign| (event.at, sign)));
        if event.answer() == Some(Answer::Success) && event.at >= span.from {
            found.success_at = found.success_at.max(Some(event.at));
        }
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
    Ok(found)
}

fn installers_log(host: &dyn Host, now: Time) -> Result<Signs, String> {
    let end = match host.read_file_end(INSTALL_LOG, INSTALL_LOG_END) {
        // Just rotated, or never written: the unified log decides.
        Err(HostError::Unreadable { why, .. }) if why.kind() == ErrorKind::NotFound => return Ok(Signs::new()),
        read => read.map_err(|error| format!("{error}."))?,
    };
    let mut signs = Signs::new();
    let until = end.modified.map_or(now, |at| at.min(now));
    let dates = OldDates { until, instant: &|local| Zone::Machine.instant(local) };
    let summary = install_log::read(&end.bytes, &dates, |record| {
        // `2023-08-02 17:15:13+08 MacBook-Air softwareupdated[88542]: SUOSUServiceDaemon: progressInfo = {` (13.4.1): an
        // update is being downloaded or prepared.
        let works = record.process == "softwareupdated" && record.message.contains("progressInfo = {");
        let sign = event::install_log::recognise(&record).and_then(|event| Sign::of_event(&event));
        signs.extend(sign.or(works.then_some(Sign::Prepares)).map(|sign| (record.at, sign)));
    });
    if summary.records == 0 && !end.bytes.is_empty() {
        return Err(format!("No line of {INSTALL_LOG} has the form of an installation log."));
    }
    let whole = end.left_out == 0 && end.rotated_unread.is_none();
    let reaches_back = whole || summary.first.is_some_and(|first| first <= now - RECENT);
    if !reaches_back && judge(signs.clone(), now) == Installing::No {
        let why = end.rotated_unread.map_or_else(String::new, |why| format!(" ({why})"));
        let most = INSTALL_LOG_END >> 20;
        return Err(format!("What was read of {INSTALL_LOG}, {most} MiB at most, does not cover the last hour{why}."));
    }
    Ok(signs)
}

/// An installation within the last hour counts as under way, whatever was logged after it: no line is known that ends
/// one, except a restart. Anything else counts as the preparation of one, unless the last line ends it:
/// `(end): phase:COMPLETED`.
fn judge(mut signs: Signs, now: Time) -> Installing {
    // A line may be newer than `now`, because `now` was taken before the log was read.
    signs.retain(|(at, _)| (now - *at).abs() <= RECENT);
    signs.sort_by_key(|(at, _)| *at);
    if let Some((at, _)) = signs.iter().rev().find(|(_, sign)| *sign == Sign::Installs) {
        return Installing::Yes { at: *at };
    }
    match signs.last() {
        Some((at, Sign::Prepares)) => Installing::Preparing { at: *at },
        _ => Installing::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::update::Progress;

    fn at(time: &str) -> Time {
        format!("2026-11-23T{time}Z").parse().expect("a time")
    }

    /// The answer at 18:00 for these progress lines.
    fn told(lines: &[(&str, ReportKind, &str)]) -> Installing {
        let sign = |(time, report, phase): &(&str, ReportKind, &str)| {
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
        let applying = ("17:40:00", ReportKind::Start, "APPLYING");
        let installing = Installing::Yes { at: at("17:40:00") };
        assert_eq!(told(&[applying]), installing);
        assert_eq!(told(&[applying, ("17:41:00", ReportKind::End, "COMPLETED")]), installing);
    }

    #[test]
    fn a_phase_that_was_not_ended_is_a_preparation() {
        let preparing = Installing::Preparing { at: at("17:58:00") };
        for phase in
            ["ACCEPTED", "PREFLIGHT_WAKEUP", "PREPARING_UPDATE", "PREPARED_COMMITTING_STASH", "DOWNLOADING_UPDATE"]
        {
            assert_eq!(
                told(&[("17:57:00", ReportKind::End, "COMPLETED"), ("17:58:00", ReportKind::Start, phase)]),
                preparing,
                "{phase}"
            );
        }
    }

    #[test]
    fn what_was_completed_or_is_an_hour_old_is_nothing_but_what_came_while_the_log_was_read_is_something() {
        assert_eq!(told(&[]), Installing::No);
        assert_eq!(
            told(&[("17:58:00", ReportKind::Start, "PREPARING_UPDATE"), ("17:59:00", ReportKind::End, "COMPLETED")]),
            Installing::No
        );
        assert_eq!(told(&[("16:59:59", ReportKind::Start, "APPLYING")]), Installing::No);
        assert_eq!(told(&[("19:00:01", ReportKind::Start, "APPLYING")]), Installing::No);
        let installing = Installing::Yes { at: at("18:00:01") };
        assert_eq!(told(&[("18:00:01", ReportKind::Start, "APPLYING")]), installing);
    }
}
