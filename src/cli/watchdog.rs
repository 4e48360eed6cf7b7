//! `diagnose` and `heal`: mdm-watchdog's outputs, as lines with its names or as JSON.

use super::syslog;
use crate::collect::Collector;
use crate::facts::restarts::DaemonRestarts;
use crate::heal::{Healer, Refusal, Request, automatic};
use crate::health::Findings;
use crate::vocabulary::Time;
use crate::vocabulary::codes::HealAction;
use crate::vocabulary::printable_json;
use chrono::SecondsFormat;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// What the outputs mean.
const OUTPUTS: &str = "\
Outputs of diagnose and heal, one per line; \"unknown\" if mdm-health cannot tell.
  MDMEnrolled
      Whether this Mac is enrolled in an MDM.
  MDMIdentityError
      Whether the MDM identity (its certificate or private key) is missing, expired or not yet
      valid. A restart does not help: enroll the Mac again.
  MDMClientStuck
      Whether the MDM server has not answered 200 for 90 minutes. That is also true if the server
      had nothing to send; the table mdm_watchdog tells the two apart, and so does State with
      --json.
  MDMSoftwareUpdatesStuck
      Whether MDMClientStuck is true and the last command was about OS updates, or an update that
      declarative management (DDM) enforces is overdue or keeps failing.
  MDMClientRestarted, SoftwareUpdateDaemonRestarted
      Whether the last heal restarted mdmclient, or softwareupdated.
  LastMDMKickstart, LastSoftwareUpdateDaemonKickstart
      When mdm-health last restarted it, in UTC; 0001-01-01 00:00:00 +0000 UTC means never.

heal restarts each daemon at most once in 24 hours, unless a policy says otherwise.";

/// What the exit code means.
const EXIT_CODES: &str = "\
Exit codes:
  0  Success: a verdict was printed, whatever it is. For heal: what was stuck was restarted, or
     nothing was stuck.
  1  Failure. For heal: something is or may be stuck, and a limit forbids the restart, or the
     restart did not work; a sentence on standard error says which.
  2  Usage error: a wrong argument, or a source that cannot be opened.";

/// What the outputs and exit codes mean, for `--help`.
pub fn help() -> String {
    format!("{OUTPUTS}\n\n{EXIT_CODES}")
}

/// How to give the outputs.
#[derive(Debug, Clone, clap::Args)]
pub struct Giving {
    /// Print one JSON object: true, false, RFC 3339 times, with State, Reason and Detail; null is unknown, or never
    #[arg(long)]
    json: bool,
    /// Write the lines to the system's log as well, as one entry
    #[arg(long)]
    syslog: bool,
}

/// What mdm-watchdog -diagnose does.
pub fn diagnose(collector: &Arc<Collector>, patience: Duration, giving: &Giving) -> String {
    give(&collector.findings_of_a_day(patience), giving)
}

/// What `heal` came to: the outputs, and why something was not restarted. That nothing is stuck is no failure.
pub type Healed = (String, Result<(), Refusal>);

/// What mdm-watchdog -heal does.
pub fn heal(collector: &Arc<Collector>, healer: &Healer, patience: Duration, giving: &Giving) -> Healed {
    let healed = healer.request(&Request::new(HealAction::Heal.word(), Some("mdm-health heal")));
    conclude(collector, healed.map(|_| ()), patience, giving)
}

/// What the LaunchDaemon runs: it restarts only if the policy turns automatic heal on. `None` if the last look is too
/// recent.
pub fn heal_automatically(
    collector: &Arc<Collector>,
    healer: &Healer,
    patience: Duration,
    giving: &Giving,
) -> Option<Healed> {
    automatic::once(healer).map(|healed| conclude(collector, healed, patience, giving))
}

fn conclude(collector: &Arc<Collector>, healed: Result<(), Refusal>, patience: Duration, giving: &Giving) -> Healed {
    (give(&collector.findings_of_a_day(patience), giving), healed)
}

fn give(findings: &Findings, giving: &Giving) -> String {
    let outputs = outputs(findings);
    if giving.syslog {
        syslog::write(&lines(&outputs));
    }
    if giving.json { json(findings, &outputs) } else { lines(&outputs) }
}

/// A value as mdm-watchdog has it; `None` is unknown.
enum Output {
    Flag(Option<bool>),
    /// `Some(None)` is never.
    Moment(Option<Option<Time>>),
}

/// mdm-watchdog's outputs, with its names and in its order.
fn outputs(findings: &Findings) -> [(&'static str, Output); 8] {
    let (verdict, restarts) = (&findings.verdict, findings.evidence.restarts.known());
    let client = restarts.map(|restarts| restarts.mdmclient);
    let updates = restarts.map(|restarts| restarts.softwareupdated);
    let restarted = |daemon: Option<DaemonRestarts>| Output::Flag(daemon.and_then(|daemon| daemon.by_last_heal));
    let kickstart = |daemon: Option<DaemonRestarts>| Output::Moment(daemon.map(|daemon| daemon.last_at));
    [
        ("MDMEnrolled", Output::Flag(verdict.enrolled)),
        ("MDMIdentityError", Output::Flag(verdict.identity_error)),
        ("MDMClientStuck", Output::Flag(verdict.client_stuck)),
        ("MDMSoftwareUpdatesStuck", Output::Flag(verdict.software_updates_stuck)),
        ("MDMClientRestarted", restarted(client)),
        ("SoftwareUpdateDaemonRestarted", restarted(updates)),
        ("LastMDMKickstart", kickstart(client)),
        ("LastSoftwareUpdateDaemonKickstart", kickstart(updates)),
    ]
}

/// A line each; times as Go prints them, whose zero time is never.
fn lines(outputs: &[(&str, Output)]) -> String {
    let line = |(name, value): &(&str, Output)| {
        let value = match value {
            Output::Flag(None) | Output::Moment(None) => "unknown".to_owned(),
            Output::Flag(Some(value)) => value.to_string(),
            Output::Moment(Some(None)) => "0001-01-01 00:00:00 +0000 UTC".to_owned(),
            Output::Moment(Some(Some(at))) => at.format("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        };
        format!("{name}: {value}\n")
    };
    outputs.iter().map(line).collect()
}

/// One object on one line: the outputs, and what they rest on.
fn json(findings: &Findings, outputs: &[(&str, Output)]) -> String {
    let time = |at: Time| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let value = |value: &Output| match value {
        Output::Flag(value) => Value::from(*value),
        Output::Moment(at) => Value::from(at.flatten().map(time)),
    };
    let verdict = &findings.verdict;
    let why = [
        ("State", Value::from(verdict.state.word())),
        ("Reason", Value::from(verdict.reason.word())),
        ("Detail", Value::from(verdict.detail.as_str())),
    ];
    let outputs = outputs.iter().map(|(name, output)| (*name, value(output)));
    let object: Map<String, Value> = outputs.chain(why).map(|(name, value)| (name.to_owned(), value)).collect();
    printable_json(&format!("{}\n", Value::Object(object)))
}
