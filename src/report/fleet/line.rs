//! A Mac of a fleet in one line: what was read of it, how bad it is, and its place in every order.

use super::super::clock::Clock;
use super::super::labels::{self, Look};
use super::super::targets::targets;
use super::super::{Report, html};
use crate::health::Findings;
use crate::tables::{MDM_WATCHDOG, OS_UPDATE_SETTINGS, Table};
use crate::vocabulary::Time;
use crate::vocabulary::codes::{SoftwareUpdatesReason, WatchdogReason, WatchdogState};
use chrono::SecondsFormat;
use std::cmp::Ordering;
use std::fmt::Write as _;

/// The longest name and the longest error of a line, in characters, so that a thousand lines stay small.
const LONGEST_NAME: usize = 60;
const LONGEST_ERROR: usize = 240;

/// One thing in the folder.
pub struct Line {
    /// What it is called there.
    pub name: String,
    /// The address of its own page.
    pub page: Option<String>,
    /// What was read, or why nothing was.
    pub summary: Result<Summary, String>,
}

/// What a line says of a Mac.
pub struct Summary {
    pub state: WatchdogState,
    pub reason: Option<WatchdogReason>,
    pub updates_stuck: Option<bool>,
    pub updates_reason: Option<SoftwareUpdatesReason>,
    /// Whether an update failed or cannot succeed as it stands.
    pub updates_troubled: bool,
    /// The update that matters most, if one is to be installed.
    target: Option<String>,
    due: Option<Moment>,
    /// What the Mac calls itself.
    computer_name: Option<String>,
    serial_number: Option<String>,
    macos: Option<String>,
    last_success: Option<Moment>,
    pub captured: Moment,
}

/// A moment, and what the Mac's clock showed.
pub struct Moment {
    pub at: Time,
    short: String,
    pub day: String,
}

impl Moment {
    fn new(at: Time, clock: &Clock<'_>) -> Self {
        Self { at, short: clock.short(at), day: clock.full(at).chars().take(10).collect() }
    }

    fn html(&self) -> String {
        let exact = self.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        format!("<time datetime=\"{exact}\">{}</time>", self.short)
    }
}

/// How bad a line is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Badness {
    Stuck,
    IdentityError,
    ServerError,
    UpdatesStuck,
    NotEnrolled,
    UpdatesTroubled,
    Unreadable,
    Unknown,
    Quiet,
    Ok,
}

impl Summary {
    /// What the tables say.
    pub fn of(findings: &Findings, tables: &[Box<dyn Table>]) -> Self {
        let report = Report::new(findings, tables);
        let row = report.first(&MDM_WATCHDOG);
        let all = targets(&report);
        let target = all.iter().find(|target| !target.is_over());
        let platform = report.platform.cloned().unwrap_or_default();
        let macos = report.first(&OS_UPDATE_SETTINGS).text("macos_version").map(str::to_owned);
        Self {
            state: row.code("state").unwrap_or(WatchdogState::Unknown),
            reason: row.code("reason"),
            updates_stuck: row.flag("mdm_software_updates_stuck"),
            updates_reason: row.code("software_updates_reason"),
            updates_troubled: all.iter().any(|target| target.troubled()),
            target: target.map(|target| target.name()),
            due: target.and_then(|target| target.deadline()).map(|at| Moment::new(at, &report.clock)),
            computer_name: platform.computer_name,
            serial_number: platform.serial_number,
            macos,
            last_success: row.time("last_success_at").map(|at| Moment::new(at, &report.clock)),
            captured: Moment::new(report.now, &report.clock),
        }
    }

    pub fn updates(&self) -> Look {
        labels::updates(self.updates_stuck, self.updates_troubled)
    }
}

impl Line {
    pub fn badness(&self) -> Badness {
        let client = self.client();
        let stuck = self.read().is_some_and(|summary| summary.updates_stuck == Some(true));
        let troubled = self.read().is_some_and(|summary| summary.updates_troubled);
        let updates = match (stuck, troubled) {
            (true, _) => Badness::UpdatesStuck,
            (false, true) => Badness::UpdatesTroubled,
            _ => client,
        };
        client.min(updates)
    }

    /// How bad its MDM client is, whatever its updates are.
    pub fn client(&self) -> Badness {
        match self.read().map(|summary| summary.state) {
            None => Badness::Unreadable,
            Some(WatchdogState::Stuck) => Badness::Stuck,
            Some(WatchdogState::IdentityError) => Badness::IdentityError,
            Some(WatchdogState::ServerError) => Badness::ServerError,
            Some(WatchdogState::NotEnrolled) => Badness::NotEnrolled,
            Some(WatchdogState::Unknown) => Badness::Unknown,
            Some(WatchdogState::Quiet) => Badness::Quiet,
            Some(WatchdogState::Ok) => Badness::Ok,
        }
    }

    fn read(&self) -> Option<&Summary> {
        self.summary.as_ref().ok()
    }

    /// What the Mac calls itself, else what its capture is called.
    fn called(&self) -> &str {
        self.read().and_then(|summary| summary.computer_name.as_deref()).unwrap_or(&self.name)
    }

    fn silent_since(&self) -> Option<Time> {
        self.read()?.last_success.as_ref().map(|moment| moment.at)
    }

    /// The worst first, of one kind those that were silent for longest.
    pub fn worse(&self, other: &Self) -> Ordering {
        let place = |line: &Self| {
            (line.badness(), line.read().and_then(|summary| summary.reason), line.silent_since(), line.name.clone())
        };
        place(self).cmp(&place(other))
    }

    /// The row. `id` is an attribute, or nothing.
    pub fn row(&self, rank: &Rank, id: &str) -> String {
        let name = html::text(&cut(self.called(), LONGEST_NAME));
        let mut name = match &self.page {
            Some(page) => format!("<a href=\"{}\">{name}</a>", html::text(page)),
            None => name,
        };
        let serial = self.read().and_then(|summary| summary.serial_number.as_deref());
        let file = Some(self.name.as_str()).filter(|file| *file != self.called());
        for part in [serial, file].into_iter().flatten() {
            let _ = write!(name, "<br/><small>{}</small>", html::text(&cut(part, LONGEST_NAME)));
        }
        let Rank { name: by_name, macos, success, captured } = rank;
        let head = format!(
            "<tr{id} style=\"--n:{by_name};--v:{macos};--s:{success};--c:{captured}\"><th scope=\"row\">{name}</th>"
        );
        let summary = match &self.summary {
            Err(why) => {
                let look = labels::UNREADABLE;
                let why = html::text(&cut(why, LONGEST_ERROR));
                return format!("{head}{}<td class=\"why\" colspan=\"5\">{why}</td></tr>\n", looks(&look));
            }
            Ok(summary) => summary,
        };
        let reason = summary.reason.map(|reason| format!("<code>{}</code>", reason.word())).unwrap_or_default();
        let target =
            summary.target.as_ref().filter(|_| summary.updates_stuck == Some(true) || summary.updates_troubled);
        let target = target.map(|target| format!(": {}", html::text(&cut(target, LONGEST_NAME)))).unwrap_or_default();
        let due = summary.due.as_ref().map(|due| format!(" <small>due {}</small>", due.html())).unwrap_or_default();
        let updates = summary.updates();
        let moment = |moment: &Moment| moment.html();
        format!(
            "{head}{}<td>{reason}</td><td class=\"{}\">{}{target}{due}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            looks(&labels::state(summary.state)),
            updates.class,
            updates.word,
            summary.macos.as_deref().map_or_else(|| "<i>unknown</i>".to_owned(), html::text),
            summary.last_success.as_ref().map_or_else(|| "<i>none in the log</i>".to_owned(), moment),
            moment(&summary.captured),
        )
    }
}

fn looks(look: &Look) -> String {
    format!("<td class=\"{}\">{}{}</td>", look.class, labels::symbol(look), look.word)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// A line's places in the orders that are not the page's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rank {
    name: usize,
    macos: usize,
    success: usize,
    captured: usize,
}

pub struct Ranks;

impl Ranks {
    /// The places of each line. What a line does not know comes first, as nobody knows how bad it is.
    pub fn of(lines: &[Line]) -> Vec<Rank> {
        let mut ranks = vec![Rank::default(); lines.len()];
        fill(lines, &mut ranks, |line| line.called().to_lowercase(), |rank| &mut rank.name);
        fill(lines, &mut ranks, |line| line.read().and_then(Summary::version), |rank| &mut rank.macos);
        fill(lines, &mut ranks, Line::silent_since, |rank| &mut rank.success);
        fill(lines, &mut ranks, |line| line.read().map(|summary| summary.captured.at), |rank| &mut rank.captured);
        ranks
    }
}

fn fill<K: Ord>(lines: &[Line], ranks: &mut [Rank], key: impl Fn(&Line) -> K, field: fn(&mut Rank) -> &mut usize) {
    let mut places: Vec<(K, usize)> = lines.iter().map(key).zip(0..).collect();
    places.sort();
    for (rank, (_, line)) in places.into_iter().enumerate() {
        if let Some(place) = ranks.get_mut(line) {
            *field(place) = rank;
        }
    }
}

impl Summary {
    /// The numbers of the version, so that 26.10 comes after 26.9.
    fn version(&self) -> Option<Vec<u32>> {
        Some(self.macos.as_deref()?.split('.').map(|part| part.parse().unwrap_or(0)).collect())
    }
}
