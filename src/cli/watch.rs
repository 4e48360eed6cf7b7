//! `watch`: the verdict and the last exchanges, kept fresh on the terminal.
//!
//! Reading a live log costs a Mac a second or more, however little is new. So the next reading begins when the last one has
//! been over for a while, longer if it took long, and after some minutes, when whoever looked may have left, no more often
//! than queries may have the log read.

use super::shell::{Format, Shell, ShellError};
use super::{PATIENCE, layout};
use crate::collect::Collector;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How many times as long as the last reading took nothing is read.
const REST: u32 = 4;

/// For how long the log is read for whoever looks; then at the pace of queries.
const WHILE_SOMEBODY_LOOKS: Duration = Duration::from_secs(600);

/// The newest first, in the time of this machine, which is the Mac's.
const EXCHANGES: &str = "
    SELECT strftime('%H:%M:%S', started_at, 'unixepoch', 'localtime') AS at, method, message_type AS message,
        request_type AS command, http_status AS http, outcome
    FROM mdm_exchanges WHERE channel = 'device' ORDER BY started_at DESC LIMIT ";
const COMMANDS: &str = "
    SELECT strftime('%H:%M:%S', received_at, 'unixepoch', 'localtime') AS received, request_type AS command, status,
        error_message AS error
    FROM mdm_commands_recent WHERE channel = 'device' ORDER BY received_at DESC LIMIT 3";
const VERDICT: &str = "
    SELECT state, reason, strftime('%H:%M:%S', last_success_at, 'unixepoch', 'localtime') AS last_success,
        strftime('%s', 'now') - last_success_at AS seconds_ago, mdm_client_stuck AS stuck
    FROM mdm_watchdog";
const DETAIL: &str = "SELECT detail FROM mdm_watchdog";

/// How to watch.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct WatchOptions {
    /// Seconds between two readings of the log, at least; one that takes long is followed by a longer rest
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(2..=3600))]
    every: u16,
    /// How many exchanges to show
    #[arg(long, default_value_t = 12, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=500))]
    exchanges: u16,
    /// Show it so many times, then end; without this it goes on until Ctrl-C
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(1..))]
    times: Option<u32>,
}

/// Shows it again and again.
pub fn run(
    shell: &Shell,
    collector: &Arc<Collector>,
    options: &WatchOptions,
    print: impl Fn(&str) -> Result<(), (u8, String)>,
) -> Result<(), (u8, String)> {
    let (begun, mut shown) = (Instant::now(), 0);
    // The first reading is of a whole day.
    collector.findings_of_a_day(PATIENCE);
    let mut took = begun.elapsed();
    loop {
        let rest = rest(options, took);
        let page = page(shell, options, took, rest).map_err(|error| (1, format!("{error}.")))?;
        // Home, and clear what is below: what stood there before is overwritten without a flicker.
        let clear = if io::stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
        print(&format!("{clear}{page}"))?;
        shown += 1;
        if options.times.is_some_and(|times| shown >= times) {
            return Ok(());
        }
        thread::sleep(rest);
        let reading = Instant::now();
        if begun.elapsed() < WHILE_SOMEBODY_LOOKS {
            collector.refresh();
        } else {
            collector.findings(PATIENCE);
        }
        took = reading.elapsed();
    }
}

/// How long nothing is read.
fn rest(options: &WatchOptions, took: Duration) -> Duration {
    Duration::from_secs(options.every.into()).max(took.saturating_mul(REST))
}

/// What is shown at once. All of it is escaped, whatever the log says.
fn page(shell: &Shell, options: &WatchOptions, took: Duration, rest: Duration) -> Result<String, ShellError> {
    let format = Format::Fitting(layout::width_of_output());
    let mut page = format!(
        "Read in {:.1} s, again in {} s. Times are this Mac's. Ctrl-C ends.\n\n",
        took.as_secs_f64(),
        rest.as_secs()
    );
    let exchanges = format!("{EXCHANGES}{}", options.exchanges);
    // One call, so that all of it shows the same evidence.
    let sql = format!("{VERDICT}; {DETAIL}; {COMMANDS}; {exchanges}");
    let mut titles = ["", "", "\nLast commands\n", "\nLast exchanges\n"].into_iter();
    shell.run(&sql, |rows| {
        page += titles.next().unwrap_or_default();
        page += &match (rows.columns.as_slice(), rows.rows.as_slice()) {
            ([one], [row]) if one == "detail" => format!("{}\n", layout::line(row)),
            (_, []) => "none\n".to_owned(),
            _ => rows.printed(format)?,
        };
        Ok(())
    })?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_takes_long_is_followed_by_a_longer_rest() {
        let options = WatchOptions { every: 10, exchanges: 5, times: None };
        assert_eq!(rest(&options, Duration::from_millis(200)), Duration::from_secs(10));
        assert_eq!(rest(&options, Duration::from_secs(20)), Duration::from_secs(80));
    }
}
