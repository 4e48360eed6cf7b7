//! The command line: which front end to start.

mod capture;
pub mod doctor;
mod fleet;
mod functions;
mod interactive;
mod layout;
mod manual;
mod nearest;
pub mod packs;
mod pages;
mod progress;
mod query;
pub mod shell;
mod signals;
mod sql_limits;
mod syslog;
mod vtab;
mod watch;
mod watchdog;

use crate::collect::Collector;
use crate::collect::source::SourceOptions;
use crate::heal::Healer;
use crate::host::HostError;
use crate::report::file::{FileError, Target};
use crate::tables;
use crate::vocabulary::codes::{CODE_SETS, SourceName, SourceReason};
use crate::vocabulary::printable;
use crate::{host, report};
use capture::{CaptureError, CaptureOptions};
use clap::builder::PossibleValuesParser;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell as CompletionShell;
use query::QueryOptions;
use shell::{Shell, ShellError};
use signals::{end_on_signals, end_well_on_signals};
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use watch::WatchOptions;
use watchdog::Giving;

/// How long a person waits for a reading.
const PATIENCE: Duration = Duration::from_secs(120);

/// `heal --automatic`, started again soon after.
const NOT_DUE: &str = "the last look of heal --automatic is less than 95 minutes old, or than the policy's \
                       AutomaticHealMinutes, so nothing was done. mdm-health diagnose looks at once.";

/// The exit code of a call that cannot be answered as it stands.
const USAGE: u8 = 2;

/// For `--help`.
const FLAGS: &str = "mdm-watchdog's flags -diagnose, -heal, -help and -version also work.";

/// Tells whether a Mac's MDM is healthy, why not, and on what evidence.
#[derive(Debug, Parser)]
#[command(
    name = "mdm-health",
    // Else clap prints what the caller named the program.
    bin_name = "mdm-health",
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
    /// Run SQL over the tables, without osquery; without SQL, on a terminal, an interactive shell
    Query(QueryOptions),
    /// Show the verdict and the last exchanges of this Mac, and keep them fresh: for the minute in which you send a push
    Watch(WatchOptions),
    /// Check for known MDM problems and print mdm-watchdog's outputs
    #[command(after_long_help = watchdog::help())]
    Diagnose(Giving),
    /// Check for known MDM problems, restart what is stuck within the limits, and print mdm-watchdog's outputs
    #[command(after_long_help = watchdog::help())]
    Heal {
        /// Restart only if the policy's AutomaticHealMinutes is above 0 and the state is `stuck`; for a LaunchDaemon, with
        /// --syslog. Does nothing if the last look is less than 95 minutes old, however often it is started
        #[arg(long)]
        automatic: bool,
        #[command(flatten)]
        giving: Giving,
    },
    /// Look at what this Mac lets mdm-health know: each source, the log, launchd, osquery. It changes nothing, and the exit
    /// code is 0 only if nothing failed
    Doctor(doctor::DoctorOptions),
    /// Write an HTML report: the verdict with its evidence, a timeline, and every table
    Report {
        #[command(flatten)]
        target: Target,
        /// Report on every capture in this folder: a line each in FILE.html, the worst first, and a page each in a folder
        /// beside it. Captures may be folders, .tar.gz files or archives. --source is not used
        #[arg(long, value_name = "DIR")]
        fleet: Option<PathBuf>,
    },
    /// Record what mdm-health reads on this Mac, to look at elsewhere with --source
    #[command(after_long_help = capture::HELP)]
    Capture(CaptureOptions),
    /// List the tables, or print one table's full documentation, as Markdown
    Tables {
        /// A table, such as mdm_watchdog
        #[arg(value_parser = PossibleValuesParser::new(tables::DEFINITIONS.iter().map(|table| table.name)))]
        name: Option<String>,
    },
    /// List the sets of states and reasons, or print one set: what each word means, and what to do
    Codes {
        /// A set, such as watchdog_reason
        #[arg(value_parser = PossibleValuesParser::new(CODE_SETS.iter().map(|set| set.name)))]
        set: Option<String>,
    },
    /// Print the queries for a fleet: a list, a file for osquery, Kolide or Fleet, or the SQL of one
    Packs {
        /// A file, such as fleet-policies, or a query, such as mdm-timeline
        #[arg(value_parser = PossibleValuesParser::new(packs::names()))]
        name: Option<String>,
    },
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: CompletionShell,
    },
    /// Print the man page
    Man,
    /// Print the version
    Version,
}

/// Runs the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let given: Vec<OsString> = arguments.into_iter().map(as_mdm_watchdog).collect();
    let arguments = match Arguments::try_parse_from(&given) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            print_usage_error(&error, &given);
            return ExitCode::from(USAGE);
        }
        Err(answer) => {
            let _ = answer.print();
            return ExitCode::SUCCESS;
        }
    };
    let answered = answer(&arguments);
    // Patience may have ended before a command did.
    host::kill_all();
    match answered {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, sentence)) => {
            let _ = writeln!(io::stderr(), "mdm-health: {}", printable(&sentence));
            ExitCode::from(code)
        }
    }
}

/// clap repeats what the caller typed, with any control character in it. So it gets the arguments again, escaped.
fn print_usage_error(error: &clap::Error, given: &[OsString]) {
    let escaped = given.iter().map(|argument| printable(&argument.to_string_lossy()));
    let _ = match Arguments::try_parse_from(escaped) {
        Err(again) if again.kind() == error.kind() => again.print(),
        _ => error.render().to_string().lines().try_for_each(|line| writeln!(io::stderr(), "{}", printable(line))),
    };
}

fn answer(arguments: &Arguments) -> Result<(), (u8, String)> {
    let printed = match &arguments.command {
        Command::Version => format!("{}\n", crate::VERSION),
        Command::Tables { name } => name.as_deref().and_then(pages::page).unwrap_or_else(pages::list),
        Command::Codes { set } => set.as_deref().and_then(pages::code_set).unwrap_or_else(pages::code_sets),
        Command::Packs { name } => name.as_deref().map_or_else(|| Ok(packs::list()), packs::text).map_err(made)?,
        Command::Completions { shell } => manual::completions(Arguments::command(), *shell).map_err(made)?,
        Command::Man => manual::man_page(Arguments::command()).map_err(made)?,
        Command::Report { target, fleet: None } => return report(arguments, target),
        Command::Report { target, fleet: Some(folder) } => return fleet::report(&arguments.source, folder, target),
        Command::Query(options) => return query(arguments, options),
        Command::Watch(options) => return watch(arguments, options),
        Command::Doctor(options) => return doctor(arguments, *options),
        Command::Diagnose(giving) => watchdog::diagnose(&collector(arguments)?, PATIENCE, giving),
        Command::Heal { automatic, giving } => {
            let collector = collector(arguments)?;
            let healer = healer(arguments, &collector);
            let healed = if *automatic {
                watchdog::heal_automatically(&collector, &healer, PATIENCE, giving)
            } else {
                Some(watchdog::heal(&collector, &healer, PATIENCE, giving))
            };
            let Some((printed, healed)) = healed else {
                let _ = writeln!(io::stderr(), "mdm-health: {NOT_DUE}");
                return Ok(());
            };
            let shown = print(&printed);
            return healed.map_err(|refusal| (1, refusal.to_string().trim_end().to_owned())).and(shown);
        }
        Command::Capture(options) => capture::capture(&arguments.source, options).map_err(|error| {
            let code = if matches!(error, CaptureError::Source(_)) { USAGE } else { 1 };
            (code, format!("{error}."))
        })?,
    };
    print(&printed)
}

/// SQL over the tables.
fn query(arguments: &Arguments, options: &QueryOptions) -> Result<(), (u8, String)> {
    let sql = options.sql().map_err(|error| (USAGE, format!("{error}.")))?;
    let failed = |error: ShellError| (1, format!("{error}."));
    let collector = collector(arguments)?;
    let shell = shell(arguments, &collector).map_err(failed)?;
    let show = |text: &str| print(text).map_err(|(_, sentence)| ShellError::Output(sentence));
    match sql {
        Some(sql) => options.run(&shell, &sql, show),
        None => interactive::run(&shell, options.format(), arguments.source.name(), show),
    }
    .map_err(failed)
}

fn shell(arguments: &Arguments, collector: &Arc<Collector>) -> Result<Shell, ShellError> {
    let tables = tables::all(Arc::new(healer(arguments, collector)));
    let collector = collector.clone();
    Shell::new(tables, move || collector.findings_of_a_day(PATIENCE))
}

/// The verdict and the last exchanges, again and again.
fn watch(arguments: &Arguments, options: &WatchOptions) -> Result<(), (u8, String)> {
    if !arguments.source.is_live() {
        let sentence =
            "a recorded Mac does not change: watch is for the Mac itself. Pass the path to query or report instead.";
        return Err((USAGE, sentence.to_owned()));
    }
    let host = arguments.source.open().map_err(|error| (USAGE, format!("{error}.")))?;
    let _ = end_well_on_signals();
    let collector = arguments.source.collector(host);
    let shell = shell(arguments, &collector).map_err(|error| (1, format!("{error}.")))?;
    watch::run(&shell, &collector, options, print)
}

/// The page for a browser. A file that exists is refused before anything is read.
fn report(arguments: &Arguments, target: &Target) -> Result<(), (u8, String)> {
    let refused = |error: FileError| (1, format!("{error}."));
    // Of a recorded Mac root may read what the user who called sudo may not; its page stays root's.
    let destination = target.open(arguments.source.is_live()).map_err(refused)?;
    let collector = collector(arguments)?;
    let findings = collector.findings_of_a_day(PATIENCE);
    let tables = tables::all(Arc::new(healer(arguments, &collector)));
    let page = report::page(arguments.source.name(), &findings, &tables);
    match destination {
        None => print(&page),
        Some(destination) => {
            target.write(&destination, &page).map_err(refused)?;
            print(&layout::written(&target.path().to_string_lossy(), page.len()))
        }
    }
}

fn doctor(arguments: &Arguments, options: doctor::DoctorOptions) -> Result<(), (u8, String)> {
    let progress = progress::ArchiveProgress::default();
    let host = arguments.source.open_watched(&progress).map_err(|error| (USAGE, format!("{error}.")))?;
    // Without it, what was started would only go on until it has something to print.
    let _ = end_on_signals(None);
    let source = &arguments.source;
    let (host, state_dir) = (progress::watched(host), source.state_dir());
    let (printed, all_well) = doctor::run(host.as_ref(), source.name(), &source.read_options(), &state_dir, options);
    print(&printed)?;
    if all_well { Ok(()) } else { Err((1, "something could not be read; see above.".to_owned())) }
}

/// Why a text could not be made.
fn made(error: impl std::fmt::Display) -> (u8, String) {
    (1, format!("this cannot be printed: {error}."))
}

fn print(text: &str) -> Result<(), (u8, String)> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        // A reader that closes the pipe early has seen what it wanted.
        Err(why) if why.kind() != ErrorKind::BrokenPipe => Err((
            1,
            format!("standard output cannot be written: {why}. Make room where it goes, or send it elsewhere."),
        )),
        _ => Ok(()),
    }
}

fn collector(arguments: &Arguments) -> Result<Arc<Collector>, (u8, String)> {
    let progress = progress::ArchiveProgress::default();
    let host = arguments.source.open_watched(&progress).map_err(|error| (USAGE, format!("{error}.")))?;
    // Without it, what was started would only go on until it has something to print.
    let _ = end_on_signals(None);
    let collector = arguments.source.collector(progress::watched(host));
    match not_a_log(&collector) {
        None => Ok(collector),
        Some(why) => {
            let path = arguments.source.name();
            Err((USAGE, format!("{path} is neither a log of a Mac nor a capture: {why}")))
        }
    }
}

/// Why a plain file, which can only be a log, is none.
fn not_a_log(collector: &Arc<Collector>) -> Option<String> {
    let host = collector.host();
    let is_plain = !host.is_live() && host.log_archive().is_none();
    if !is_plain || !matches!(host.recorded_restarts(), Err(HostError::OnlyALog { .. })) {
        return None;
    }
    let findings = collector.findings_of_a_day(PATIENCE);
    let log = findings.evidence.sources().into_iter().find(|source| source.source == SourceName::UnifiedLog)?;
    (log.reason == Some(SourceReason::NotALog)).then(|| log.detail.clone().unwrap_or_default())
}

fn healer(arguments: &Arguments, collector: &Arc<Collector>) -> Healer {
    Healer::new(collector.clone(), arguments.source.actor(), PATIENCE)
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
