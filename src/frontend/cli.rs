//! The command line: which front end to start.

use super::capture::{self, CaptureError, CaptureOptions};
use super::progress;
use super::shell::{self, Format};
use super::source::SourceOptions;
use super::watchdog::{self, Giving};
use crate::collect::Collector;
use crate::tables::{self, Context};
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long a person waits for a reading.
const PATIENCE: Duration = Duration::from_secs(120);

/// The exit code of a call that cannot be answered as it stands.
const USAGE: u8 = 2;

/// For `--help`.
const FLAGS: &str = "mdm-watchdog's flags -diagnose, -heal, -help and -version are understood as well.";

/// Tells whether a Mac's MDM is healthy, why not, and on what evidence.
#[derive(Debug, Parser)]
#[command(
    name = "mdm-health",
    version,
    arg_required_else_help = true,
    after_help = FLAGS,
    after_long_help = format!("{FLAGS}\n\n{}", watchdog::help()),
)]
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
    #[command(after_long_help = watchdog::help())]
    Diagnose(Giving),
    /// Print the tables and what they answer, in Markdown
    Tables,
    /// Check for known MDM problems, restart what is stuck, within the limits, and print mdm-watchdog's outputs
    #[command(after_long_help = watchdog::help())]
    Heal {
        /// Restart only where the policy's AutomaticHealMinutes is more than 0, and only if the state is `stuck`: for a
        /// LaunchDaemon, with --syslog
        #[arg(long)]
        automatic: bool,
        #[command(flatten)]
        giving: Giving,
    },
    /// Write down what mdm-health reads of this Mac, to look at elsewhere with --source
    #[command(after_long_help = capture::HELP)]
    Capture(CaptureOptions),
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
        Command::Tables => table_list(),
        Command::Diagnose(giving) => watchdog::diagnose(&collector(arguments)?, PATIENCE, giving),
        Command::Heal { automatic, giving } => {
            let (printed, healed) = watchdog::heal(&collector(arguments)?, PATIENCE, *automatic, giving);
            print(&printed);
            return healed.map_err(|refusal| (1, refusal.to_string().trim_end().to_owned()));
        }
        Command::Capture(options) => capture::capture(&arguments.source, options).map_err(|error| {
            let code = if matches!(error, CaptureError::Source(_)) { USAGE } else { 1 };
            (code, format!("{error}."))
        })?,
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

fn print(text: &str) {
    // A reader that closes the pipe early has seen what it wanted.
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}

fn collector(arguments: &Arguments) -> Result<Arc<Collector>, (u8, String)> {
    let host = arguments.source.open().map_err(|error| (USAGE, format!("{error}.")))?;
    Ok(arguments.source.collector(progress::watched(host)))
}

/// The README's list of tables.
fn table_list() -> String {
    let rows = tables::DEFINITIONS.iter().map(|table| format!("| `{}` | {} |\n", table.name, table.description));
    format!("| table | what a row is |\n|---|---|\n{}", rows.collect::<String>())
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
