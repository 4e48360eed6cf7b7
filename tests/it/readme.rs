//! The commands and queries of the README, run as they are written.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const README: &str = include_str!("../../README.md");

/// The recorded Mac that the README uses.
const SOURCE: &str = "tests/fixtures/update-command-never-answered";

/// The section under a heading.
fn section(heading: &str) -> &str {
    let rest = README.split_once(&format!("\n## {heading}\n")).unwrap().1;
    rest.split("\n## ").next().unwrap()
}

/// The code blocks of a language in a text.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let begin = format!("```{language}\n");
    text.split(begin.as_str()).skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// A temporary folder that looks like a clone.
fn clone() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), folder.path().join("tests")).unwrap();
    folder
}

/// What a shell line prints, with the built program as `mdm-health`.
#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn printed(folder: &Path, line: &str) -> String {
    let line = format!("mdm-health() {{ '{}' \"$@\"; }}; {line}", env!("CARGO_BIN_EXE_mdm-health"));
    let output =
        Command::new("bash").args(["-c", &line]).current_dir(folder).env_remove("MDM_HEALTH_SOURCE").output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_readmes_first_commands_print_what_it_shows() {
    let (folder, section) = (clone(), section("Try it"));
    let lines: Vec<String> =
        blocks(section, "sh")[0].lines().map(|line| line.replace("cargo run --release --", "mdm-health")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let rows = printed(folder.path(), &lines[0]);
    for shown in blocks(section, "text")[0].lines().filter(|line| *line != "…") {
        assert!(rows.lines().any(|line| line == shown), "{shown}\n{rows}");
    }
    let said = printed(folder.path(), &lines[1]);
    assert!(said.starts_with("stuck.html was written (") && said.ends_with(" KiB).\n"), "{said}");
    assert!(folder.path().join("stuck.html").is_file());
}

#[test]
fn what_the_readme_does_with_a_sysdiagnose_works() {
    let folder = tempfile::tempdir().unwrap();
    crate::archives_sysdiagnose::packed(&folder.path().join("sysdiagnose.tar.gz"));
    let lines: Vec<&str> = blocks(section("From a sysdiagnose"), "sh")[0].lines().collect();
    let printed: Vec<String> = lines.iter().map(|line| printed(folder.path(), line)).collect();
    assert!(folder.path().join("mac.html").is_file());
    assert!(printed[1].contains("command_hung") && printed[2].contains("Error.PredicateFailed"), "{printed:?}");
}

#[test]
fn the_readmes_ways_to_pass_sql_work() {
    let lines = blocks(section("Try it"), "sh")[1];
    let rows = printed(clone().path(), &format!("{{ {lines} }}"));
    assert_eq!(
        rows,
        "state\nstuck\n\ncommands\n2\n\
         +--------------------+--------------+\n| request_type       | status       |\n\
         +--------------------+--------------+\n| AvailableOSUpdates | Acknowledged |\n\
         | ScheduleOSUpdate   | pending      |\n+--------------------+--------------+\n\
         [\n  {\"request_type\":\"AvailableOSUpdates\",\"status\":\"Acknowledged\"},\n  \
         {\"request_type\":\"ScheduleOSUpdate\",\"status\":\"pending\"}\n]\n"
    );
}

#[test]
fn the_readmes_list_of_mdm_watchdog_outputs_is_complete() {
    let shown = blocks(section("For those who know mdm-watchdog"), "text")[0];
    assert_eq!(printed(clone().path(), &format!("mdm-health -diagnose --source {SOURCE}")), shown);
}

#[test]
fn the_packs_can_be_printed_and_run_as_shown() {
    let folder = clone();
    let lines: Vec<&str> = blocks(section("Deploy it"), "sh")[0].lines().collect();
    assert!(lines.len() > 5);
    for line in lines {
        let source = if line.starts_with("mdm-health query") { format!(" --source {SOURCE}") } else { String::new() };
        assert!(!printed(folder.path(), &format!("{line}{source}")).is_empty(), "{line}");
    }
}

#[test]
fn every_query_in_the_readme_runs() {
    let queries: Vec<&str> = README.split('`').filter(|code| code.starts_with("SELECT ")).collect();
    assert!(queries.len() > 6, "{queries:?}");
    for query in queries {
        printed(clone().path(), &format!("mdm-health query \"{query}\" --source {SOURCE}"));
    }
}

#[test]
fn the_readmes_table_of_states_matches_the_codes() {
    let states = printed(clone().path(), "mdm-health codes watchdog_state");
    assert!(README.contains(&states), "{states}");
}
