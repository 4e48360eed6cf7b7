//! `query`: where its SQL comes from, how rows are printed, what is like osquery, and the interactive shell.

use crate::support::fixture;
use crate::support::terminal::Terminal;
use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn query(arguments: &[&str], input: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    program.args(["query", "--source", fixture("quiet-healthy-day").to_str().unwrap()]).args(arguments);
    program.env_remove("MDM_HEALTH_SOURCE").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = program.spawn().unwrap();
    // It need not read what it was not asked to.
    let _ = running.stdin.take().unwrap().write_all(input.as_bytes());
    running.wait_with_output().unwrap()
}

#[track_caller]
fn printed(arguments: &[&str], input: &str) -> String {
    let output = query(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The exit code and the sentence.
fn refused(arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let output = query(arguments, input);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

const SQL: &str = "-- why\nSELECT state FROM mdm_watchdog /* now */; -- and\n";
const ROWS: &str = "state\nok\n";

#[test]
fn sql_comes_from_an_argument_a_file_or_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a query.sql");
    fs::write(&file, SQL).unwrap();
    let file = file.to_str().unwrap();
    for (arguments, input) in [
        (&["--csv", SQL][..], ""),
        (&[SQL, "--csv"], ""),
        (&["--csv", "--", SQL], ""),
        (&["--csv", "-f", file], ""),
        (&["--csv", "--file", file], "SELECT 'something else'"),
        (&["--csv", "-"], SQL),
        (&["--csv", "-f", "-"], SQL),
        (&["--csv"], SQL),
    ] {
        assert_eq!(printed(arguments, input), ROWS, "{arguments:?}");
    }
}

#[test]
fn what_is_no_sql_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (long, binary) = (folder.path().join("long.sql"), folder.path().join("binary.sql"));
    fs::write(&long, "-".repeat((1 << 20) + 1)).unwrap();
    fs::write(&binary, [0xff, 0xfe]).unwrap();
    for (arguments, code, words) in [
        (&["-f", "/nowhere/at/all"][..], 2, "the SQL cannot be read from /nowhere/at/all"),
        (&["-f", long.to_str().unwrap()], 2, "is longer than 1048576 bytes"),
        (&["-f", binary.to_str().unwrap()], 2, "cannot be read from"),
        (&["-f", "x", "SELECT 1"], 2, "cannot be used with"),
        (&["--json", "--csv", "SELECT 1"], 2, "cannot be used with"),
        (&["--table", "--list", "SELECT 1"], 2, "cannot be used with"),
        (&["--jsno"], 2, "there is no such option"),
        (&["--jsno", "SELECT 1"], 2, "unexpected argument"),
        (&["-x"], 2, "there is no such option"),
        (&[""], 1, "the query is empty"),
        (&["-- only a comment"], 1, "the query is empty"),
        (&[], 1, "the query is empty"),
    ] {
        let (found, said) = refused(arguments, "");
        assert_eq!(found, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn each_of_several_results_is_printed() {
    let sql = "SELECT 1 AS a; SELECT 2 AS b UNION SELECT 3; SELECT 4 AS c WHERE 0;";
    assert_eq!(printed(&[sql, "--csv"], ""), "a\n1\n\nb\n2\n3\n\nc\n");
    assert_eq!(printed(&[sql, "--json"], ""), "[\n  {\"a\":1}\n]\n[\n  {\"b\":2},\n  {\"b\":3}\n]\n[\n]\n");
    assert_eq!(printed(&["SELECT 1 AS a; SELECT 2 AS b", "--list"], ""), "a = 1\n\nb = 2\n");
    // What came before an error is there.
    let output = query(&["SELECT 1 AS a; SELECT x", "--csv"], "");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()), (Some(1), "a\n1\n"));
}

#[test]
fn a_table_is_as_wide_as_the_terminal_lets_it_be_unless_it_is_asked_for() {
    let wide = format!("SELECT '{}' AS text, 'x' AS other", "w".repeat(150));
    assert!(printed(&[&wide], "").starts_with(" text = www"), "a pipe has 120 columns");
    assert!(printed(&[&wide, "--table"], "").starts_with("+--"));
    assert!(printed(&["SELECT 1 AS a", "--list"], "").starts_with("a = 1"));
    // A Chinese letter takes two columns.
    assert_eq!(printed(&["SELECT '王' AS a"], ""), "+----+\n| a  |\n+----+\n| 王 |\n+----+\n");
    let home = tempfile::tempdir().unwrap();
    let source = fixture("quiet-healthy-day");
    let on = |columns, sql: &str| {
        Terminal::start(&["query", sql, "--source", source.to_str().unwrap()], columns, home.path()).ends().1
    };
    assert!(on(200, &wide).starts_with("+--"), "a wide terminal");
    assert!(on(12, "SELECT 'twelve' AS a, 'letters' AS b").starts_with("a = twelve"), "a narrow terminal");
}

#[test]
fn a_name_that_is_not_there_brings_the_nearest_one() {
    for (sql, words) in [
        ("SELECT * FROM mdm_watchdogs", "no such table: mdm_watchdogs (did you mean mdm_watchdog?)."),
        ("SELECT staet FROM mdm_watchdog", "no such column: staet (did you mean state?)."),
        ("SELECT * FROM users", "no such table: users (mdm-health tables lists those that there are)."),
        ("SELECT * FROM osquery_info", "osquery's own tables are in osquery"),
    ] {
        let (code, said) = refused(&[sql], "");
        assert_eq!(code, Some(1), "{sql}");
        assert!(said.contains(words), "{sql}: {said}");
    }
}

#[test]
fn the_tables_are_listed_as_in_any_database() {
    let names = printed(&["SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", "--csv"], "");
    let mut expected: Vec<&str> = mdm_health::tables::DEFINITIONS.iter().map(|table| table.name).collect();
    expected.sort_unstable();
    assert_eq!(names, format!("name\n{}\n", expected.join("\n")));
    let sql = printed(&["SELECT sql FROM sqlite_master WHERE name = 'mdm_heal'", "--csv"], "");
    assert!(sql.contains("action TEXT"), "{sql}");
    assert_eq!(refused(&["DROP TABLE mdm_heal"], "").0, Some(1));
}

#[test]
fn functions_of_osquery_work_on_the_tables() {
    let sql = "SELECT concat(state, '!') AS a, split('15.6.1', '.', 1) AS b, regex_match(reason, '^[a-z]+', 0) AS c, \
               version_compare('15.6', '<', '15.10') AS d FROM mdm_watchdog";
    assert_eq!(printed(&[sql, "--csv"], ""), "a,b,c,d\nok!,6,recent,1\n");
}

fn shell(home: &std::path::Path) -> Terminal {
    let source = fixture("quiet-healthy-day");
    let mut terminal = Terminal::start(&["query", "--source", source.to_str().unwrap()], 100, home);
    terminal.waits_for("mdm-health> ");
    terminal
}

#[test]
fn the_interactive_shell_runs_statements_until_it_is_told_to_end() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = shell(home.path());
    for (typed, answer) in [
        ("SELECT state\rFROM mdm_watchdog;", "| ok    |"),
        // A mistake ends nothing.
        ("SELECT * FROM mdm_watchdogs;", "did you mean mdm_watchdog?"),
        ("SELECT char(27) || '[2J' AS hostile;", "\\u{1b}[2J"),
        (".mode json", "\n"),
        ("SELECT 7 AS seven;", "{\"seven\":7}"),
        (".mode upside-down", "the modes are auto, table, list, csv, json"),
        (".schema mdm_identity", "common_name TEXT,"),
        (".tables", "os_update_status"),
        // Tab completes: one name at once.
        ("SELECT count(*) AS rows FROM mdm_enr\t;", "{\"rows\":1}"),
    ] {
        terminal.types(&format!("{typed}\r"));
        terminal.waits_for(answer);
        terminal.waits_for("mdm-health> ");
    }
    // Ctrl-C leaves a line that was begun.
    terminal.types("SELECT 'lost'\u{3}");
    terminal.waits_for("\n");
    terminal.waits_for("mdm-health> ");
    terminal.types("SELECT 'kept' AS line;\r");
    terminal.waits_for("{\"line\":\"kept\"}");
    terminal.waits_for("mdm-health> ");
    terminal.types(".quit\r");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    // The next one remembers what was typed, with the arrow that points up.
    let mut terminal = shell(home.path());
    terminal.types("\u{1b}[A\u{1b}[A\r");
    terminal.waits_for("| kept |");
    terminal.types("\u{4}");
    assert_eq!(terminal.ends().0, Some(0));
    let modes = |path| std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777;
    assert_eq!(modes(home.path().join(".mdm-health_history")), 0o600);
}

/// `sudo mdm-health query`: HOME is the user's, in which root must write nothing.
#[test]
fn in_the_home_of_somebody_else_no_history_is_kept() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("only root has the home of somebody else, so that this test shows nothing");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let aim = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(aim.path().join("made"), home.path().join(".mdm-health_history")).unwrap();
    std::os::unix::fs::chown(home.path(), Some(1234), None).unwrap();
    let mut terminal = shell(home.path());
    terminal.types("SELECT 1 AS one;\r");
    terminal.waits_for("| 1   |");
    terminal.types(".quit\r");
    assert_eq!(terminal.ends().0, Some(0));
    assert_eq!(fs::read_dir(aim.path()).unwrap().count(), 0);
}
