//! One operation of softwareupdated, from one `ACCEPTED` to the next: collects its reports before it is known which
//! update they belong to.

use super::status::{Id, Update};
use super::timeline::TimelineEntry;
use crate::event::update::{Progress, ReportKind, UpdateMessage};
use crate::vocabulary::Time;
use crate::vocabulary::codes::{SourceName, UpdatePhase};

/// The update that progress lines are credited to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribution {
    /// None is known.
    None,
    /// It is this one.
    One(Id),
    /// It may be one of several.
    Many,
}

pub struct Operation {
    number: u32,
    /// Whether it continues what another process began, so that its first report counts as a beginning.
    resumes: bool,
    /// The process whose operation it is; 0 until it is known, or where the log has none.
    pid: u32,
    /// The update that it belongs to.
    pub attribution: Attribution,
    /// The entries of the timeline that belong to it.
    pub entries: Vec<usize>,
    steps: Vec<Reported>,
    heard: Vec<(SourceName, Time)>,
    /// Whether it downloads, and when a part of that ended last.
    downloads: bool,
    download_ended: Option<Time>,
    /// Whether its acceptance was reported, and the preflight phase whose end was reported last.
    accepted: bool,
    ends_at: Option<Box<str>>,
}

enum Reported {
    Reached(Reached),
    Completed,
    /// It was accepted and ended at that phase, before any work.
    GaveUp {
        at: Time,
        phase: Box<str>,
    },
}

/// A report that an update is at a stage.
#[derive(Debug, Clone, Copy)]
struct Reached {
    at: Time,
    stage: UpdatePhase,
    /// Whether something begins here: a first report of a phase, or of a process.
    begins: bool,
    /// The operation that it is a part of.
    operation: u32,
    /// How far the stage is.
    percent: Option<u8>,
    stalled: Option<bool>,
    /// Bytes downloaded, and bytes to download in all.
    bytes: (Option<u64>, Option<u64>),
    seconds_left: Option<u32>,
}

impl Reached {
    /// Without a word on how far it is.
    fn now(at: Time, stage: UpdatePhase, begins: bool, operation: u32) -> Self {
        Self { at, stage, begins, operation, percent: None, stalled: None, bytes: (None, None), seconds_left: None }
    }
}

impl Operation {
    /// `number` counts the operations. `resumes` means that no beginning was reported, and that the process is not that
    /// of the previous operation.
    pub fn new(number: u32, resumes: bool) -> Self {
        Self {
            number,
            resumes,
            pid: 0,
            attribution: Attribution::None,
            entries: Vec::new(),
            steps: Vec::new(),
            heard: Vec::new(),
            downloads: false,
            download_ended: None,
            accepted: false,
            ends_at: None,
        }
    }

    /// Whether that process may speak of it.
    pub fn is_of(&self, pid: u32) -> bool {
        self.pid == pid || self.pid == 0 || pid == 0
    }

    /// That process speaks of it.
    pub fn spoken_by(&mut self, pid: u32) {
        if self.pid == 0 {
            self.pid = pid;
        }
    }

    /// The process whose operation it is; 0 where that is not known.
    pub fn process(&self) -> u32 {
        self.pid
    }

    /// Whether its end was reported.
    pub fn is_complete(&self) -> bool {
        matches!(self.steps.last(), Some(Reported::Completed | Reported::GaveUp { .. }))
    }

    /// Whether it says how far an update is.
    pub fn has_stage(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Reported::Reached(_)))
    }

    /// A report of progress.
    pub fn progress(&mut self, entry: &TimelineEntry, index: usize, progress: &Progress, attribution: Attribution) {
        self.hear(entry, index, attribution);
        let at = entry.at;
        let percent = progress.portion.and_then(|portion| u8::try_from(portion / 10_000).ok());
        let begins = progress.report == ReportKind::Start || self.resumes();
        let reached = |stage| Reached {
            percent,
            stalled: progress.stalled,
            bytes: (progress.written, progress.expected),
            seconds_left: progress.seconds_left,
            ..Reached::now(at, stage, begins, self.number)
        };
        let stage = match &*progress.phase {
            "DOWNLOADING_UPDATE" | "DOWNLOADING_SFR" => UpdatePhase::Downloading,
            "DOWNLOADED_UPDATE" => {
                self.download_ended = Some(at);
                self.downloaded(Some(at));
                return;
            }
            "PREPARING_UPDATE" => UpdatePhase::Preparing,
            "PREPARED" | "PREPARED_COMMITTING_STASH" => UpdatePhase::Prepared,
            "APPLYING" => UpdatePhase::Installing,
            // The end of any operation: it does not mean that its work was done.
            "COMPLETED" => {
                self.downloaded(Some(at));
                let gave_up = self.ends_at.take().filter(|_| self.accepted && !self.has_stage());
                self.steps.push(gave_up.map_or(Reported::Completed, |phase| Reported::GaveUp { at, phase }));
                return;
            }
            // ACCEPTED, READY, RELOADING_… and DOWNLOADING_UPDATE_BRAIN: no stage that anybody asks for.
            phase => {
                self.accepted |= phase == "ACCEPTED";
                let is_preflight_end = phase.starts_with("PREFLIGHT_") && progress.report == ReportKind::End;
                self.ends_at = is_preflight_end.then(|| phase.into());
                return;
            }
        };
        let reached = reached(stage);
        if stage == UpdatePhase::Downloading {
            self.downloads = true;
            self.download_ended = (progress.report == ReportKind::End).then_some(at);
        } else {
            self.downloaded(None);
        }
        self.steps.push(Reported::Reached(reached));
    }

    /// What is said beside the reports.
    pub fn said(&mut self, entry: &TimelineEntry, index: usize, said: &UpdateMessage, attribution: Attribution) {
        self.hear(entry, index, attribution);
        let stage = match said {
            UpdateMessage::PrepareContinues => UpdatePhase::Preparing,
            // The restart into it is still to come.
            UpdateMessage::Applied => UpdatePhase::Installing,
            _ => return,
        };
        let begins = self.resumes();
        let (at, operation) = (entry.at, self.number);
        self.steps.push(Reported::Reached(Reached::now(at, stage, begins, operation)));
    }

    /// Whether this is the first report after another process's.
    fn resumes(&self) -> bool {
        self.resumes && self.steps.is_empty()
    }

    fn hear(&mut self, entry: &TimelineEntry, index: usize, attribution: Attribution) {
        self.entries.push(index);
        self.heard.push((entry.log.source(), entry.at));
        self.attribution = match (std::mem::replace(&mut self.attribution, Attribution::Many), attribution) {
            (Attribution::Many, _) | (_, Attribution::Many) => Attribution::Many,
            (Attribution::None, other) | (other, Attribution::None) => other,
            (Attribution::One(one), Attribution::One(other)) if one == other => Attribution::One(one),
            (Attribution::One(_), Attribution::One(_)) => Attribution::Many,
        };
    }

    /// The download is over. An update downloads in several parts, so only the next report shows that all of them are
    /// done. The time is known if the end of the last part was reported.
    fn downloaded(&mut self, at: Option<Time>) {
        if std::mem::take(&mut self.downloads)
            && let Some(at) = self.download_ended.or(at)
        {
            let (stage, operation) = (UpdatePhase::Downloaded, self.number);
            self.steps.push(Reported::Reached(Reached::now(at, stage, false, operation)));
        }
    }

    /// Passes the reports on to the update that they belong to.
    pub fn credit(&self, update: &mut Update) {
        for (source, at) in &self.heard {
            update.heard(*source, Some(*at));
        }
        for step in &self.steps {
            match step {
                Reported::Reached(reached) => update.reached(reached),
                Reported::Completed => update.completed(self.number),
                Reported::GaveUp { at, phase } => update.gave_up(*at, phase),
            }
        }
    }
}

/// What its reports make of an update.
impl Update {
    /// It was reported to be at a stage.
    fn reached(&mut self, report: &Reached) {
        let Reached { at, stage, .. } = *report;
        let now = self.stage.filter(|now| *now > UpdatePhase::CommandReceived);
        let again = match now {
            // A Mac that runs it is done with it.
            Some(UpdatePhase::Installed) => return,
            _ if self.failed => true,
            Some(now) if stage < now && !report.begins => return,
            Some(now) if stage < now => true,
            Some(now) => stage == now && is_work(stage) && report.begins && report.operation != self.operation,
            None => true,
        };
        if again {
            self.start_again(stage);
        }
        let first = match stage {
            UpdatePhase::Downloading => Some(&mut self.download_started_at),
            UpdatePhase::Downloaded => Some(&mut self.downloaded_at),
            UpdatePhase::Prepared => Some(&mut self.prepared_at),
            UpdatePhase::Installing => Some(&mut self.install_started_at),
            _ => None,
        };
        if let Some(first) = first {
            first.get_or_insert(at);
        }
        if now.is_none_or(|now| again || stage > now) {
            (self.percent, self.stalled) = (None, None);
        }
        self.stage = Some(stage);
        self.percent = report.percent.or(self.percent);
        self.stalled = report.stalled.or(self.stalled);
        self.downloaded_bytes = report.bytes.0.or(self.downloaded_bytes);
        self.total_bytes = report.bytes.1.or(self.total_bytes);
        self.seconds_left = report.seconds_left;
        self.operation = report.operation;
    }

    /// Begins another attempt at that stage: the times of later stages are dropped.
    fn start_again(&mut self, from: UpdatePhase) {
        self.attempts += 1;
        self.failed = false;
        if from <= UpdatePhase::Downloading {
            (self.downloaded_bytes, self.total_bytes) = (None, None);
        }
        let later = [
            (UpdatePhase::Downloading, &mut self.download_started_at),
            (UpdatePhase::Downloaded, &mut self.downloaded_at),
            (UpdatePhase::Prepared, &mut self.prepared_at),
            (UpdatePhase::Installing, &mut self.install_started_at),
        ];
        for (stage, time) in later {
            if stage >= from {
                *time = None;
            }
        }
    }

    /// The operation ended. That does not mean that its work succeeded, unless the last report already said that it was
    /// done.
    fn completed(&mut self, operation: u32) {
        let done = self.stage > Some(UpdatePhase::Preparing) || self.stage == Some(UpdatePhase::Downloaded);
        if self.operation == operation && !self.failed {
            self.seconds_left = None;
            if done {
                self.percent = self.percent.map(|_| 100);
            }
        }
    }

    /// An operation was accepted and ended before it did any work. It counts as a failed attempt, and the update's
    /// stage stays as it was.
    fn gave_up(&mut self, at: Time, phase: &str) {
        self.attempts += 1;
        self.failed_at = Some(at);
        self.error = Some(format!("ended at {phase}").into());
    }
}

/// Whether starting this phase again counts as a new attempt. `Prepared` is not work: committing follows it.
fn is_work(phase: UpdatePhase) -> bool {
    matches!(phase, UpdatePhase::Downloading | UpdatePhase::Preparing | UpdatePhase::Installing)
}
