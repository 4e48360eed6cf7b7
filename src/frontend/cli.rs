//! The command line: which front end to start, and mdm-watchdog's outputs.

use super::report::file::{FileError, Target};
use super::shell::{self, Format};
use super::source::SourceOptions;
use super::syslog;
use super::{manual, packs, pages, progress, report};
use crate::collect::Collector;
use crate::facts::restarts::DaemonRestarts;
use crate::heal::{Action, Healer, Request, limits};
use crate::health::Findings;
use crate::tables::{self, Context};
use clap::builder::PossibleValuesParser;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long a person waits for a reading.
const PATIENCE: Duration = Duration::from_secs(120);

/// The exit code of a call that cannot be answered as it stands.
const USAGE: u8 = 2;

/// Tells whether a Mac's MDM is healthy, why not, and on what evidence.
#[derive(Debug, Parser)]
#[command(name = "mdm-health", version, arg_required_else_help = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(flatten)]
    source: SourceOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an SQL query over the tables, without osquery
    Query {
        /// The query, such as "SELECT * FROM mdm_watchdog"
        sql: String,
        /// Print JSON
        #[arg(long, conflicts_with = "csv")]
        json: bool,
        /// Print CSV
        #[arg(long)]
        csv: bool,
    },
    /// Check for known MDM problems and print mdm-watchdog's outputs
    Diagnose {
        /// Write them to the system's log as well
        #[arg(long)]
        syslog: bool,
    },
    /// Make a page for a browser: the verdict with its evidence, a timeline, and every table
    Report(Target),
    /// Print the tables and what they answer, or all that is to know of one, in Markdown
    Tables {
        /// A table, such as mdm_watchdog
        #[arg(value_parser = PossibleValuesParser::new(tables::DEFINITIONS.iter().map(|table| table.name)))]
        name: Option<String>,
    },
    /// Print the queries for a fleet: a list, a file for osquery, Kolide or Fleet, or the SQL of one
    Packs {
        /// A file, such as fleet-policies, or a query, such as mdm-timeline
        #[arg(value_parser = PossibleValuesParser::new(packs::names()))]
        name: Option<String>,
    },
    /// Print what a shell reads to complete this command line
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the man page
    Man,
    /// Check for known MDM problems, restart what is stuck, within the limits, and print mdm-watchdog's outputs
    Heal,
    /// Print the version
    Version,
}

/// Runs the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments.into_iter().map(as_mdm_watchdog)) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match answer(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, sentence)) => {
            let _ = writeln!(io::stderr(), "mdm-health: {}", shell::printable(&sentence));
            ExitCode::from(code)
        }
    }
}

fn answer(arguments: &Arguments) -> Result<(), (u8, String)> {
    let printed = match &arguments.command {
        Command::Version => format!("{}\n", crate::VERSION),
        Command::Tables { name } => name.as_deref().and_then(pages::page).unwrap_or_else(pages::list),
        Command::Packs { name } => name.as_deref().map_or_else(|| Ok(packs::list()), packs::text).map_err(made)?,
        Command::Completions { shell } => manual::completions(Arguments::command(), *shell).map_err(made)?,
        Command::Man => manual::man_page(Arguments::command()).map_err(made)?,
        Command::Diagnose { syslog } => {
            let printed = outputs(&collector(arguments)?.findings(PATIENCE));
            if *syslog {
                syslog::write(&printed);
            }
            printed
        }
        Command::Report(target) => return report(arguments, target),
        Command::Heal => return heal(&collector(arguments)?),
        Command::Query { sql, json, csv } => {
            let collector = collector(arguments)?;
            let format = match (json, csv) {
                (true, _) => Format::Json,
                (_, true) => Format::Csv,
                _ => Format::Table,
            };
            let tables = tables::all(&Context { collector: collector.clone(), patience: PATIENCE });
            shell::query(sql, format, tables, move || collector.findings(PATIENCE))
                .map_err(|error| (1, format!("{error}.")))?
        }
    };
    print(&printed);
    Ok(())
}

/// The page for a browser. That its file may not be written is said before anything is read.
fn report(arguments: &Arguments, target: &Target) -> Result<(), (u8, String)> {
    let refused = |error: FileError| (1, format!("{error}."));
    target.check().map_err(refused)?;
    let collector = collector(arguments)?;
    let findings = collector.findings(PATIENCE);
    let tables = tables::all(&Context { collector, patience: PATIENCE });
    let page = report::page(arguments.source.name(), &findings, &tables);
    if target.is_stdout() {
        print(&page);
        return Ok(());
    }
    target.write(&page).map_err(refused)
}

/// What mdm-watchdog -heal does. That nothing is stuck is no failure.
fn heal(collector: &Arc<Collector>) -> Result<(), (u8, String)> {
    let healed =
        Healer::new(collector.clone(), PATIENCE).request(&Request::new(Action::Heal.name(), Some("mdm-health heal")));
    print(&outputs(&collector.findings(PATIENCE)));
    match healed {
        Err(refusal) if refusal.code != limits::NOT_STUCK => Err((1, refusal.to_string().trim_end().to_owned())),
        _ => Ok(()),
    }
}

/// Why a text could not be made.
fn made(error: impl std::fmt::Display) -> (u8, String) {
    (1, format!("this cannot be printed: {error}."))
}

fn print(text: &str) {
    // A reader that closes the pipe early has seen what it wanted.
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}

fn collector(arguments: &Arguments) -> Result<Arc<Collector>, (u8, String)> {
    let host = arguments.source.open().map_err(|error| (USAGE, format!("{error}.")))?;
    Ok(arguments.source.collector(progress::watched(host)))
}

/// mdm-watchdog's flags have one dash: `-diagnose`.
fn as_mdm_watchdog(argument: OsString) -> OsString {
    match argument.to_str() {
        Some("-diagnose" | "--diagnose") => "diagnose".into(),
        Some("-heal" | "--heal") => "heal".into(),
        Some("-version") => "version".into(),
        Some("-help") => "--help".into(),
        _ => argument,
    }
}

/// mdm-watchdog's outputs, a line each, with its names. What could not be told is `unknown`.
fn outputs(findings: &Findings) -> String {
    let (verdict, restarts) = (&findings.verdict, findings.evidence.restarts.known());
    let flag = |value: Option<bool>| value.map_or("unknown", |value| if value { "true" } else { "false" }).to_owned();
    let (client, updates) =
        (restarts.map(|restarts| restarts.mdmclient), restarts.map(|restarts| restarts.softwareupdated));
    [
        ("MDMEnrolled", flag(verdict.enrolled)),
        ("MDMIdentityError", flag(verdict.identity_error)),
        ("MDMClientStuck", flag(verdict.client_stuck)),
        ("MDMSoftwareUpdatesStuck", flag(verdict.software_updates_stuck)),
        ("MDMClientRestarted", flag(client.and_then(|client| client.by_last_heal))),
        ("SoftwareUpdateDaemonRestarted", flag(updates.and_then(|updates| updates.by_last_heal))),
        ("LastMDMKickstart", kickstart(client)),
        ("LastSoftwareUpdateDaemonKickstart", kickstart(updates)),
    ]
    .map(|(name, value)| format!("{name}: {value}\n"))
    .concat()
}

/// A time as Go prints it; never is Go's zero time.
fn kickstart(daemon: Option<DaemonRestarts>) -> String {
    match daemon.map(|daemon| daemon.last_at) {
        None => "unknown".to_owned(),
        Some(None) => "0001-01-01 00:00:00 +0000 UTC".to_owned(),
        Some(Some(at)) => at.format("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
    }
}
