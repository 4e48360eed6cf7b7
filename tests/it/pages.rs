//! The table pages in Fleet's schema format, what the program prints from them, and the generated files.

use crate::support::heal_mac::HealMac;
use crate::support::{findings, fixture, tables};
use mdm_health::cli::shell::{self, Format};
use mdm_health::tables::{DEFINITIONS, TableDefinition};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

/// A page with the keys that Fleet knows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    name: String,
    description: String,
    platforms: Vec<String>,
    evented: bool,
    examples: String,
    notes: String,
    columns: Vec<Column>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    description: String,
    r#type: String,
    required: bool,
    #[serde(default)]
    hidden: bool,
    /// Our own key: what kind of value it is, and the set of its codes.
    #[serde(default, rename = "holds")]
    _holds: String,
    #[serde(default, rename = "codes")]
    _codes: String,
    #[serde(default, rename = "index")]
    _index: bool,
}

#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mdm-health")).args(arguments).env_remove("MDM_HEALTH_SOURCE").output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The text between the fences of a page's examples.
fn examples(table: &TableDefinition) -> Vec<&'static str> {
    let parts: Vec<&str> = table.examples.split("```\n").collect();
    // The last fence ends the text without a newline.
    let fenced = parts.iter().skip(1).step_by(2).map(|sql| sql.trim_end_matches("```").trim());
    fenced.collect()
}

#[test]
fn every_page_has_fleets_schema_and_declares_the_columns_that_are_served() {
    for table in DEFINITIONS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tables/{}.yml", table.name));
        let page: Page = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!((page.name.as_str(), page.evented, page.platforms), (table.name, false, vec!["darwin".to_owned()]));
        assert_eq!((page.description.as_str(), page.examples.as_str()), (table.description, table.examples));
        assert!(page.notes.starts_with("This table is not a core osquery table."), "{}", table.name);
        assert_eq!(page.columns.len(), table.columns.len(), "{}", table.name);
        let names: BTreeSet<&str> = page.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names.len(), table.columns.len(), "{}: a column is declared twice", table.name);
        for (written, served) in page.columns.iter().zip(table.columns) {
            let name = format!("{}.{}", table.name, served.name);
            assert_eq!((written.name.as_str(), written.description.as_str()), (served.name, served.description));
            assert_eq!(
                (written.r#type.to_uppercase().as_str(), written.hidden),
                (served.kind.sql(), served.hidden),
                "{name}"
            );
            assert!(!written.required && !written.description.is_empty(), "{name}");
            assert!(
                written.name.chars().all(|letter| letter.is_ascii_lowercase() || matches!(letter, '_' | '0'..='9'))
            );
            // osquery truncates an INTEGER to 32 bits.
            let is_time = written.name == "at" || written.name.ends_with("_at");
            assert!(!is_time || written.r#type == "bigint", "{name}");
        }
    }
}

#[test]
fn every_example_runs() {
    let findings = Arc::new(findings(&fixture("updates/macos-26-two-on-offer")));
    for table in DEFINITIONS {
        let examples = examples(table);
        assert!(!examples.is_empty() && examples.iter().all(|sql| sql.ends_with(';')), "{}: {examples:?}", table.name);
        for sql in examples {
            if sql.starts_with("INSERT") {
                let output = HealMac::stuck().program(&["query", sql]).output().unwrap();
                assert_eq!(output.status.code(), Some(0), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
            } else {
                let findings = findings.clone();
                let ran = shell::query(sql, Format::Json, tables(), move || findings.clone());
                assert!(ran.is_ok(), "{sql}: {ran:?}");
            }
        }
    }
}

#[test]
fn a_tables_page_is_printed_in_full() {
    for table in DEFINITIONS {
        let page = printed(&["tables", table.name]);
        assert!(page.starts_with(&format!("# {}\n\n{}\n", table.name, table.description)), "{page}");
        assert!(page.contains(table.examples) && page.contains(table.notes));
        assert!(page.contains("nullif(column, '')"), "{}", table.name);
        for column in table.columns {
            let line = page.lines().find(|line| line.starts_with(&format!("- `{}` (", column.name))).unwrap();
            assert!(line.contains(column.kind.sql()) && line.ends_with(column.description), "{line}");
            assert_eq!(line.contains("hidden"), column.hidden, "{line}");
        }
    }
    assert_eq!(run(&["tables", "mdm"]).status.code(), Some(2));
}

/// The subcommands, from clap's own help.
fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let named = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    // `help`, which clap adds, has no section.
    named.map(|line| line.split_whitespace().next().unwrap().to_owned()).filter(|name| name != "help").collect()
}

#[test]
fn completions_and_the_man_page_have_every_subcommand() {
    let commands = commands();
    assert!(commands.len() > 5, "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        assert!(commands.iter().all(|command| script.contains(command.as_str())), "{shell}");
    }
    let page = printed(&["man"]);
    assert!(page.contains(".TH mdm-health 1"), "{page}");
    for command in &commands {
        assert!(page.contains(&format!("\n.SS {command}\n")), "{command}");
    }
    for flag in ["source", "socket", "timeout", "interval", "verbose"] {
        assert!(page.contains(&format!("\\fB\\-\\-{flag}\\fR")), "{flag}");
    }
    for table in DEFINITIONS {
        assert!(page.contains(&format!("\\fB{}\\fR", table.name)), "{}", table.name);
    }
}

#[test]
fn the_man_page_explains_outputs_exit_codes_and_captures_as_help_does() {
    let page = printed(&["man"]).replace("\\-", "-").replace("\\*(Aq", "'").replace("\\\\", "\\");
    for command in ["diagnose", "heal", "capture"] {
        let help = printed(&[command, "--help"]);
        let explained = help.split("Print help (see a summary with '-h')\n\n").nth(1).unwrap();
        assert!(page.contains(explained.trim_end()), "{command}");
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test starts what a person starts")]
fn generated_files_are_current() {
    let checked = Command::new("bash")
        .args(["packaging/generate.sh", "--check"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("MDM_HEALTH", env!("CARGO_BIN_EXE_mdm-health"))
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
