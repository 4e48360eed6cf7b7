//! A page for people who would rather look than read: the verdict with its evidence, a timeline, and every table. One
//! file of HTML and SVG without any script, which asks for nothing from anywhere. It is a function of the tables' rows.

mod clock;
pub mod file;
pub mod fleet;
mod html;
mod labels;
mod os_updates;
mod tables;
mod targets;
mod timeline;
mod trust;
mod verdict;
mod view;

use crate::facts::platform::Platform;
use crate::health::Findings;
use crate::tables::{MDM_ENROLLMENT, MDM_HEALTH_STATUS, MDM_WATCHDOG, OS_UPDATE_SETTINGS, Table, TableDefinition};
use crate::vocabulary::Time;
use crate::vocabulary::codes::{SourceName, SourceState, WatchdogState};
use clock::{Clock, distance, length};
use view::{RowView, TableView};

/// No source but the page itself: whatever a log line smuggles in, nothing runs and nothing is fetched.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("style.css");
const SYMBOLS: &str = include_str!("symbols.svg");

/// What the page tells.
struct Report<'f> {
    /// The moment that is judged.
    now: Time,
    clock: Clock<'f>,
    /// Which Mac it is, if that was read.
    platform: Option<&'f Platform>,
    tables: Vec<TableView>,
}

/// The page. `source` says where the evidence comes from.
pub fn page(source: &str, findings: &Findings, tables: &[Box<dyn Table>]) -> String {
    let report = Report::new(findings, tables);
    let word = labels::state(report.first(&MDM_WATCHDOG).code("state").unwrap_or(WatchdogState::Unknown)).word;
    let name = report.platform.and_then(|mac| mac.computer_name.as_deref());
    let title = name.map(|name| format!(", {}", html::text(name))).unwrap_or_default();
    [
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{}\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/><meta name=\"referrer\" content=\"no-referrer\"/>\n\
             <title>mdm-health: {word}{title}</title>\n<style>\n{STYLE}{}</style></head><body>\n{SYMBOLS}",
            html::text(POLICY),
            tables::style(&report)
        ),
        header(&report, source),
        "<main>\n".to_owned(),
        verdict::section(&report),
        os_updates::section(&report),
        "<section id=\"evidence\" class=\"pair\"><div class=\"column\">\n".to_owned(),
        verdict::evidence(&report),
        trust::enrollment(&report),
        trust::identity(&report),
        "</div><div class=\"column\">\n".to_owned(),
        verdict::outputs(&report),
        trust::sources(&report),
        "</div></section>\n".to_owned(),
        timeline::section(&report),
        tables::section(&report),
        format!(
            "</main>\n<footer><p>mdm-health {}. This page contains no script and loads nothing. It names servers and users: \
             share it with care.</p></footer>\n</body></html>\n",
            crate::VERSION
        ),
    ]
    .concat()
}

/// What Mac, when, and on what evidence.
fn header(report: &Report, source: &str) -> String {
    let (settings, watchdog) = (report.first(&OS_UPDATE_SETTINGS), report.first(&MDM_WATCHDOG));
    let system = settings.text("macos_version").map_or_else(
        || "macOS <i>of unknown version</i>".to_owned(),
        |version| {
            let build = settings.text("macos_build").map(|build| format!(" ({})", html::text(build)));
            format!("macOS {}{}", html::text(version), build.unwrap_or_default())
        },
    );
    let span = watchdog.time("log_from").zip(watchdog.time("log_to")).map_or_else(
        || "<i>nothing that could be read</i>".to_owned(),
        |(from, to)| format!("{} to {}, {}", report.clock.short(from), report.clock.short(to), length(to - from)),
    );
    let platform = report.platform;
    let name = platform.and_then(|mac| mac.computer_name.as_deref()).map_or_else(|| "a Mac".to_owned(), html::text);
    let mac: String = [
        ("Model", platform.and_then(|mac| mac.model.as_deref())),
        ("Serial number", platform.and_then(|mac| mac.serial_number.as_deref())),
    ]
    .into_iter()
    .filter_map(|(name, text)| Some(format!("<div><dt>{name}</dt><dd>{}</dd></div>", html::text(text?))))
    .collect();
    let server = report.first(&MDM_ENROLLMENT).text("server_url");
    let enrolled = server.map(|server| format!("<div><dt>Enrolled in</dt><dd>{}</dd></div>", html::text(server)));
    let enrolled = enrolled.unwrap_or_default();
    format!(
        "<header><h1>MDM health of {name}</h1><dl>{mac}<div><dt>System</dt><dd>{system}</dd></div>{enrolled}\
         <div><dt>Verdict for</dt><dd>{}</dd></div><div><dt>Log</dt><dd>{span}</dd></div>\
         <div><dt>Source</dt><dd>{}</dd></div><div><dt>By</dt><dd>mdm-health {}</dd></div></dl>\
         <nav aria-label=\"Parts of this page\"><a href=\"#verdict\">Verdict</a> <a href=\"#updates\">OS updates</a> <a href=\"#evidence\">Evidence</a> \
         <a href=\"#sources\">Sources</a> <a href=\"#timeline\">Timeline</a> <a href=\"#tables\">Tables</a></nav></header>\n",
        report.clock.element(report.now),
        html::text(source),
        crate::VERSION
    )
}

impl<'f> Report<'f> {
    fn new(findings: &'f Findings, tables: &[Box<dyn Table>]) -> Self {
        let platform = &findings.evidence.platform;
        Self {
            now: findings.evidence.now,
            clock: Clock::new(&findings.evidence.zone),
            platform: platform.known().or(platform.last_good.as_ref().map(|(platform, _)| platform)),
            tables: tables.iter().map(|table| TableView::new(table.as_ref(), findings)).collect(),
        }
    }

    fn rows(&self, table: &'static TableDefinition) -> Vec<RowView<'_>> {
        let found = self.tables.iter().find(|one| one.definition.name == table.name);
        found.map_or_else(Vec::new, |table| table.rows().collect())
    }

    /// Whether the record of restarts was read, so that no restart in it is none.
    fn knows_restarts(&self) -> bool {
        let ledger = |row: &RowView<'_>| {
            row.code("source") == Some(SourceName::HealLedger) && row.code("state") == Some(SourceState::Ok)
        };
        self.rows(&MDM_HEALTH_STATUS).iter().any(ledger)
    }

    /// A moment, and how far it is from the one that is judged.
    fn moment(&self, at: Time) -> String {
        format!("{} <small>{}</small>", self.clock.element(at), distance(at, self.now))
    }

    /// The row of a table that always has one.
    fn first(&self, table: &'static TableDefinition) -> RowView<'_> {
        self.rows(table).first().copied().unwrap_or(RowView::empty(table))
    }
}
