//! Each limit of heal, on the fake Mac: a refusal has a code and a sentence, is recorded, and runs no command.

use crate::support;
use crate::support::heal_mac::{HealMac, mdmclient, now, progress};
use mdm_health::cli::shell::{self, Format};
use mdm_health::collect::Collector;
use mdm_health::facts::record::RecordError;
use mdm_health::heal::ledger::LedgerError;
use mdm_health::heal::{Healer, Refusal, Request};
use mdm_health::host::state::StateFolder;
use mdm_health::host::{Host, Recorded};
use mdm_health::tables::{self, Table, Value, WriteError};
use mdm_health::vocabulary::Code;
use mdm_health::vocabulary::codes::HealAction;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// What the tables need for that Mac.
struct Context {
    collector: Arc<Collector>,
    healer: Arc<Healer>,
}

fn context(mac: &HealMac, host: Box<dyn Host>) -> Context {
    let actor = host.is_live().then(|| mac.live().actor());
    let collector = mac.collector(host);
    let healer = Arc::new(Healer::new(collector.clone(), actor, PATIENCE));
    Context { collector, healer }
}

fn mdm_heal(context: &Context) -> Box<dyn Table> {
    tables::all(context.healer.clone())
        .into_iter()
        .find(|table| table.definition().name == "mdm_heal")
        .expect("the table")
}

/// The values of an INSERT in the order of the columns.
fn values(given: &[(&str, Value)]) -> Vec<Value> {
    let columns = tables::MDM_HEAL.columns.iter();
    let value = |name| given.iter().find(|(column, _)| *column == name).map_or(Value::Null, |(_, value)| value.clone());
    columns.map(|column| value(column.name)).collect()
}

fn text(text: &'static str) -> Value {
    Value::Text(text.into())
}

/// A request to restart mdmclient.
fn restart() -> Vec<(&'static str, Value)> {
    vec![("action", text("restart_mdmclient"))]
}

fn forced() -> Vec<(&'static str, Value)> {
    vec![("action", text("restart_mdmclient")), ("force", Value::Integer(1))]
}

fn policy(mac: &HealMac, settings: &str) {
    let plist = format!("<plist version=\"1.0\"><dict>{settings}</dict></plist>");
    mac.write("Library/Managed Preferences/org.mdm-health.plist", plist);
}

/// One column of `mdm_heal`, for every row.
fn column(table: &dyn Table, context: &Context, name: &str) -> Vec<Value> {
    let index = tables::MDM_HEAL.columns.iter().position(|column| column.name == name).expect("a column");
    let rows = table.rows(&context.collector.findings(PATIENCE));
    rows.into_iter().map(|row| row[index].clone()).collect()
}

/// Makes a request and checks that the refusal begins with `code`, contains `words` and is recorded, and that nothing ran.
fn is_refused(mac: &HealMac, given: &[(&str, Value)], code: &str, words: &str) {
    let context = context(mac, Box::new(mac.live()));
    let table = mdm_heal(&context);
    let (rows, acts) = (table.rows(&context.collector.findings(PATIENCE)).len(), mac.acts());
    let Err(WriteError::Refused(sentence)) = table.insert(&values(given)) else { panic!("{code}: not refused") };
    assert!(sentence.starts_with(&format!("{code}: ")) && sentence.contains(words), "{code}, {words}: {sentence}");
    assert!(!sentence.ends_with('.'), "{sentence}");
    assert_eq!(mac.acts(), acts, "{code}: a command was run");
    let outcomes = column(table.as_ref(), &context, "outcome");
    assert_eq!(outcomes.len(), rows + 1, "{code}: no row");
    assert_eq!(outcomes.last(), Some(&text("refused")));
    let details = column(table.as_ref(), &context, "detail");
    assert_eq!(details.last(), Some(&Value::Text(format!("{sentence}.").into())));
}

#[test]
fn each_thing_the_policy_forbids_is_refused() {
    let mac = HealMac::stuck();
    policy(&mac, "<key>Enabled</key><false/>");
    is_refused(&mac, &restart(), "switched_off", "switched off by /Library/Managed Preferences/org.mdm-health.plist");
    policy(&mac, "<key>AllowedActions</key><array><string>restart_softwareupdated</string></array>");
    is_refused(&mac, &restart(), "action_not_allowed", "not among the AllowedActions of");
    policy(&mac, "<key>AllowForce</key><false/>");
    is_refused(&mac, &forced(), "force_not_allowed", "does not set AllowForce");
    policy(&mac, "<key>AllowForce</key><true/>");
    is_refused(
        &mac,
        &[("action", text("heal")), ("force", Value::Integer(1))],
        "force_names_no_daemon",
        "use restart_mdmclient or restart_softwareupdated",
    );
}

#[test]
fn heal_skips_an_action_that_the_policy_forbids() {
    let mac = HealMac::stuck();
    policy(&mac, "<key>AllowedActions</key><array><string>heal</string><string>restart_mdmclient</string></array>");
    let context = context(&mac, Box::new(mac.live()));
    let table = mdm_heal(&context);
    assert_eq!(table.insert(&values(&[("action", text("heal"))])), Ok(1));
    assert_eq!(mac.acts(), ["launchctl kickstart -k system/com.apple.mdmclient.daemon"]);
    let outcomes = column(table.as_ref(), &context, "outcome");
    assert_eq!(outcomes, [text("done"), text("refused"), text("done")]);
}

#[test]
fn a_second_restart_is_refused_with_the_limit_and_the_next_allowed_time() {
    let mac = HealMac::stuck();
    let context = context(&mac, Box::new(mac.live()));
    let table = mdm_heal(&context);
    assert_eq!(table.insert(&values(&restart())), Ok(1));
    is_refused(&mac, &restart(), "too_soon", "one restart per 24 h of uptime");
    is_refused(&mac, &restart(), "too_soon", "next allowed at 2026-11-24T18:00:00Z");
    let day = 24 * 60 * 60;
    let next = vec![Value::Integer(now().timestamp() + day); 3];
    assert_eq!(column(table.as_ref(), &context, "next_allowed_at"), next);
    // The other daemon has its own limit.
    assert_eq!(table.insert(&values(&[("action", text("restart_softwareupdated"))])), Ok(4));
}

#[test]
fn a_failed_restart_counts_against_the_limit() {
    let mac = HealMac::stuck();
    mac.set("launchctl", "unknown");
    let context = context(&mac, Box::new(mac.live()));
    assert!(mdm_heal(&context).insert(&values(&restart())).is_err());
    is_refused(&mac, &restart(), "too_soon", "one restart per 24 h of uptime");
}

#[test]
fn nothing_is_restarted_without_proof() {
    let mac = HealMac::stuck();
    mac.set("log", "fails");
    is_refused(&mac, &restart(), "evidence_unknown", "Could not open local log store");
    mac.set("log", "works");
    mac.say(&[mdmclient("17:40:00", "<<<<< Received HTTP response (200) [Idle] <<<<<")]);
    is_refused(
        &mac,
        &restart(),
        "not_stuck",
        "mdm_client_stuck is 0. The server accepted a request at 2026-11-23T17:40:00Z",
    );
    let updates = [("action", text("restart_softwareupdated"))];
    is_refused(&mac, &updates, "not_stuck", "mdm_software_updates_stuck is 0");
    mac.set("profiles", "gibberish");
    is_refused(&mac, &restart(), "evidence_unknown", "Whether this Mac is enrolled is unknown");
    is_refused(&mac, &[("action", text("heal"))], "evidence_unknown", "Whether this Mac is enrolled is unknown");
}

/// A fleet may be asked to heal as a whole: no Mac that is well fails for it.
#[test]
fn heal_on_a_healthy_mac_succeeds_and_does_nothing() {
    let mac = HealMac::stuck();
    mac.say(&[mdmclient("17:40:00", "<<<<< Received HTTP response (200) [Idle] <<<<<")]);
    let context = context(&mac, Box::new(mac.live()));
    let table = mdm_heal(&context);
    assert_eq!(table.insert(&values(&[("action", text("heal")), ("reason", text("INC-42"))])), Ok(1));
    assert_eq!(column(table.as_ref(), &context, "outcome"), [text("nothing_to_do")]);
    let [Value::Text(detail)] = &column(table.as_ref(), &context, "detail")[..] else { panic!("no detail") };
    assert!(detail.starts_with("Nothing is stuck: ") && detail.contains("mdm_software_updates_stuck is 0"), "{detail}");
    assert_eq!(mac.acts(), Vec::<String>::new());
    let watchdog = &support::rows(&context.collector.findings(PATIENCE), "mdm_watchdog")[0];
    assert_eq!(watchdog.number("mdm_client_restarted"), Some(0), "it restarted nothing");
}

/// By mdm-watchdog's rule silence is stuck; automatic heal needs more than that.
#[test]
fn automatic_heal_acts_only_when_the_state_is_stuck() {
    let mac = HealMac::new();
    mac.say(&[mdmclient("15:10:00", "<<<<< Received HTTP response (200) [Idle] <<<<<")]);
    let healer = mac.healer(&mac.collector(Box::new(mac.live())), PATIENCE);
    let request = Request::new("restart_mdmclient", None);
    let automatic = healer.request(&Request { automatic: true, ..request.clone() }).expect_err("refused");
    assert_eq!(automatic.code.word(), "not_proven");
    assert!(automatic.sentence.contains("it is `quiet`"), "{automatic}");
    assert_eq!(mac.acts(), Vec::<String>::new());
    assert_eq!(healer.request(&request), Ok(2));
}

#[test]
fn nothing_is_restarted_during_an_installation() {
    let mac = HealMac::stuck();
    policy(&mac, "<key>AllowForce</key><true/>");
    let hung = mdmclient("15:30:00", "Processing server request: ScheduleOSUpdate for: <Device> (1) PowerNap: no");
    mac.say(&[hung.clone(), progress("17:30:00", "start", "APPLYING")]);
    is_refused(&mac, &restart(), "installing", "an update is being installed, as of 2026-11-23T17:30:00Z");
    is_refused(&mac, &forced(), "installing", "an update is being installed");
    mac.say(&[hung.clone(), progress("17:50:00", "inter", "PREPARING_UPDATE")]);
    is_refused(&mac, &restart(), "preparing", "downloaded or prepared, as of 2026-11-23T17:50:00Z");
    mac.say(&[hung]);
    let told = "2026-11-23 09:45:00-08 mac softwareupdated[301]: SUOSUServiceDaemon: progressInfo = {\n";
    mac.write("private/var/log/install.log", told);
    is_refused(&mac, &restart(), "preparing", "as of 2026-11-23T17:45:00Z");
    let told = "2026-11-23 09:55:00-08 mac softwareupdated[301]: SUOSUPostLogoutInstallOperation: Applied MSU update\n";
    mac.write("private/var/log/install.log", told);
    is_refused(&mac, &restart(), "installing", "as of 2026-11-23T17:55:00Z");
    mac.write("private/var/log/install.log", "not a log\n");
    is_refused(&mac, &restart(), "install_unknown", "No line of /private/var/log/install.log has the form");
    // A forced restart is the admin's own decision.
    let context = context(&mac, Box::new(mac.live()));
    assert!(mdm_heal(&context).insert(&values(&forced())).is_ok());
}

#[test]
fn only_one_heal_runs_at_a_time_on_the_machine() {
    let mac = HealMac::stuck();
    is_refused(&mac, &[], "unknown_action", "must be one of");
    let lock = StateFolder::make(&mac.state_dir()).and_then(|folder| folder.lock("heal.lock"));
    let held = lock.expect("a lock").expect("free");
    is_refused(&mac, &restart(), "busy", "try again in a minute");
    drop(held);
    let context = context(&mac, Box::new(mac.live()));
    assert_eq!(mdm_heal(&context).insert(&values(&restart())), Ok(3));
}

#[test]
fn nothing_is_restarted_where_ps_fails_or_lists_nothing() {
    let mac = HealMac::stuck();
    for (behaviour, words) in [("fails", "time is out of joint"), ("empty", "it lists no processes")] {
        mac.set("print", "odd");
        mac.set("ps", behaviour);
        is_refused(&mac, &restart(), "command_failed", words);
    }
}

#[test]
fn a_malformed_request_is_refused() {
    let mac = HealMac::stuck();
    is_refused(&mac, &[], "unknown_action", "one of restart_mdmclient, restart_softwareupdated, heal");
    is_refused(&mac, &[("action", text("restart_mdmclient; rm -rf /"))], "unknown_action", "must be one of");
    is_refused(&mac, &[("action", Value::Integer(7))], "unknown_action", "must be one of");
    for value in [text("yes"), Value::Integer(2), Value::Integer(-1)] {
        let given = [("action", text("restart_mdmclient")), ("force", value)];
        is_refused(&mac, &given, "bad_request", "The column force takes 0 or 1");
    }
    let dry_run = [("action", text("restart_mdmclient")), ("dry_run", text("1"))];
    is_refused(&mac, &dry_run, "bad_request", "The column dry_run takes 0 or 1");
    for given in ["id", "outcome", "method", "requested_at", "next_allowed_at"] {
        let values = [("action", text("restart_mdmclient")), (given, Value::Integer(1))];
        is_refused(&mac, &values, "bad_request", &format!("The column {given} is not yours to give"));
    }
}

#[test]
fn long_texts_are_cut_in_the_record() {
    let mac = HealMac::stuck();
    let long = Value::Text("é".repeat(100_000).into());
    is_refused(&mac, &[("action", long.clone()), ("reason", long)], "unknown_action", "must be one of");
    let context = context(&mac, Box::new(mac.live()));
    let table = mdm_heal(&context);
    for name in ["action", "reason"] {
        assert_eq!(column(table.as_ref(), &context, name), [Value::Text("é".repeat(512).into())]);
    }
}

#[test]
fn a_dry_run_decides_and_runs_nothing() {
    let mac = HealMac::stuck();
    let context = context(&mac, Box::new(mac.live()));
    let table = mdm_heal(&context);
    let dry_run = values(&[("action", text("heal")), ("dry_run", Value::Integer(1))]);
    assert_eq!(table.insert(&dry_run), Ok(1));
    assert_eq!(mac.acts(), Vec::<String>::new());
    assert_eq!(column(table.as_ref(), &context, "outcome"), vec![text("dry_run"); 3]);
    assert_eq!(column(table.as_ref(), &context, "pid_before"), [Value::Null, Value::Integer(301), Value::Integer(300)]);
    // A dry run does not use up the limit, the restart after it does.
    assert_eq!(table.insert(&values(&restart())), Ok(4));
    let again = [("action", text("restart_mdmclient")), ("dry_run", Value::Integer(1))];
    is_refused(&mac, &again, "too_soon", "one restart per 24 h of uptime");
}

/// Without a trusted record nothing is restarted and no row can be written: the error says what to do, and SELECT does
/// not look as if there had been no request.
#[test]
fn nothing_is_restarted_without_a_trusted_record() {
    type Damage = fn(&Path);
    let damages: [(&str, &str, Damage); 9] = [
        ("ledger_damaged", "as root move it", |file| {
            fs::write(file, "not a database, and long enough to be looked at").expect("written")
        }),
        ("ledger_damaged", "it holds no record", |file| fs::write(file, "").expect("written")),
        ("ledger_damaged", "damaged", |file| {
            let mut bytes = fs::read(file).expect("bytes");
            for byte in &mut bytes[4096..] {
                *byte = 0xa5;
            }
            fs::write(file, bytes).expect("written");
        }),
        ("ledger_newer", "newer version", |file| {
            rusqlite::Connection::open(file).and_then(|db| db.pragma_update(None, "user_version", 4)).expect("set");
        }),
        ("ledger_not_ours", "symbolic link", |file| {
            let elsewhere = file.with_extension("elsewhere");
            fs::rename(file, &elsewhere).and_then(|()| symlink(elsewhere, file)).expect("a link");
        }),
        ("ledger_not_ours", "not a regular file", |file| {
            fs::remove_file(file).and_then(|()| fs::create_dir(file)).expect("a folder");
        }),
        ("ledger_not_ours", "writable by others (mode 0666)", |file| {
            fs::set_permissions(file, Permissions::from_mode(0o666)).expect("permissions");
        }),
        ("ledger_not_ours", "writable by others (mode 0777)", |file| {
            fs::set_permissions(file.parent().expect("a folder"), Permissions::from_mode(0o777)).expect("permissions");
        }),
        ("ledger_not_ours", "not a folder", |file| {
            let folder = file.parent().expect("a folder");
            let elsewhere = folder.with_extension("elsewhere");
            fs::rename(folder, &elsewhere).and_then(|()| symlink(elsewhere, folder)).expect("a link");
        }),
    ];
    for (code, words, damage) in damages {
        let mac = HealMac::stuck();
        let context = context(&mac, Box::new(mac.live()));
        let table = mdm_heal(&context);
        assert!(table.insert(&values(&[("action", text("nothing"))])).is_err());
        damage(&mac.state_dir().join("heal.db"));
        let Err(WriteError::Refused(sentence)) = table.insert(&values(&restart())) else {
            panic!("{code}: not refused")
        };
        assert!(sentence.starts_with(&format!("{code}: ")) && sentence.contains(words), "{words}: {sentence}");
        assert_eq!(mac.acts(), Vec::<String>::new(), "{words}");
        assert_eq!(column(table.as_ref(), &context, "outcome"), [text("unreadable")], "{words}");
        let query = "SELECT source, state, reason FROM mdm_health_status WHERE source = 'heal_ledger'";
        let told = shell::query(query, Format::Csv, tables::all(context.healer.clone()), {
            let collector = context.collector.clone();
            move || collector.findings(PATIENCE)
        });
        assert_eq!(told.expect("rows"), format!("source,state,reason\nheal_ledger,error,{code}\n"));
    }
}

#[test]
fn a_record_that_cannot_be_written_gives_a_full_sentence() {
    let refusal = Refusal::from(LedgerError::from(RecordError::Sql(rusqlite::Error::InvalidQuery)));
    assert!(refusal.sentence.ends_with(". Make sure that there is room on the disk."), "{refusal}");
}

#[test]
fn the_record_is_readable_by_its_owner_only() {
    let mac = HealMac::stuck();
    is_refused(&mac, &[], "unknown_action", "must be one of");
    let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
    assert_eq!(mode(&mac.state_dir()), 0o700);
    assert_eq!(mode(&mac.state_dir().join("heal.db")), 0o600);
    assert_eq!(mode(&mac.state_dir().join("heal.lock")), 0o600);
    // A record that others can read, but not write, is used after its mode is corrected.
    fs::set_permissions(mac.state_dir(), Permissions::from_mode(0o755)).expect("permissions");
    fs::set_permissions(mac.state_dir().join("heal.db"), Permissions::from_mode(0o644)).expect("permissions");
    is_refused(&mac, &[], "unknown_action", "must be one of");
    assert_eq!((mode(&mac.state_dir()), mode(&mac.state_dir().join("heal.db"))), (0o700, 0o600));
}

/// Requests in a loop neither fill the disk nor push a restart out of the record.
#[test]
fn the_record_keeps_the_last_thousand_requests_and_every_restart() {
    let mac = HealMac::stuck();
    let context = context(&mac, Box::new(mac.live()));
    let table = mdm_heal(&context);
    assert_eq!(table.insert(&values(&restart())), Ok(1));
    let record = rusqlite::Connection::open(mac.state_dir().join("heal.db")).expect("a record");
    let many = "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 10500)
                INSERT INTO requests(action, force, dry_run, requested_at, outcome) SELECT 'x', 0, 0, 0, 'refused' FROM number";
    assert_eq!(record.execute(many, []), Ok(10_500));
    let Err(WriteError::Refused(sentence)) = table.insert(&values(&restart())) else { panic!("not refused") };
    assert!(sentence.starts_with("too_soon: "), "{sentence}");
    let ids = column(table.as_ref(), &context, "id");
    assert_eq!((ids.len(), &ids[0], &ids[1]), (1001, &Value::Integer(1), &Value::Integer(9503)));
}

/// This machine's record is not shown for a recorded Mac: a capture without one is an unreadable source.
#[test]
fn a_recorded_mac_is_not_healed() {
    let mac = HealMac::stuck();
    let log = mac.root().join("fake/log.ndjson");
    let context = context(&mac, Box::new(Recorded::open(&log, None).expect("a log")));
    let table = mdm_heal(&context);
    let Err(WriteError::Refused(sentence)) = table.insert(&values(&restart())) else { panic!("not refused") };
    assert!(sentence.starts_with("not_captured: Nothing was restarted: this is a recorded Mac"), "{sentence}");
    assert!(!mac.state_dir().exists());
    assert_eq!(column(table.as_ref(), &context, "outcome"), [Value::Text("unreadable".into())]);
    let [Value::Text(why)] = &column(table.as_ref(), &context, "detail")[..] else { panic!("no sentence") };
    assert!(why.starts_with("not_captured: ") && why.contains("mdm-health's own record of restarts"), "{why}");
    assert_eq!(mac.acts(), Vec::<String>::new());
}

#[test]
fn a_select_creates_no_file_and_runs_no_command() {
    let mac = HealMac::stuck();
    for table in ["mdm_heal", "mdm_watchdog", "mdm_health_status"] {
        let output = mac.program(&["query", &format!("SELECT * FROM {table}")]).output().expect("run");
        assert!(output.status.success());
    }
    assert!(!mac.state_dir().exists());
    assert_eq!(mac.acts(), Vec::<String>::new());
}

#[test]
fn the_record_cannot_be_edited() {
    let mac = HealMac::stuck();
    is_refused(&mac, &restart()[..0], "unknown_action", "must be one of");
    for sql in ["UPDATE mdm_heal SET outcome = 'done'", "DELETE FROM mdm_heal"] {
        let output = mac.program(&["query", sql]).output().expect("run");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.status.code(), said.as_str()),
            (Some(1), "mdm-health: table mdm_heal may not be modified.\n")
        );
    }
}

#[test]
fn every_action_has_its_own_name() {
    for action in HealAction::ALL {
        assert_eq!(HealAction::from_word(action.word()), Some(*action));
    }
}
