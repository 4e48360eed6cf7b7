//! What a system keeps beside a program: its man page and what a shell needs to complete its command line. Both are made
//! from the command line as clap knows it; osquery's flags, which it does not know, are told in a section of their own.

use super::packs::{Kind, QUERIES};
use super::{capture, watchdog};
use crate::tables::DEFINITIONS;
use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use roff::{Inline, Roff, bold, italic, roman};
use std::io;

/// What osquery passes when it starts the extension.
const OSQUERY_FLAGS: [(&str, &str, &str); 4] = [
    (
        "--socket",
        "PATH",
        "The socket of osquery's extension manager. With it the program is an extension, and no command is given.",
    ),
    ("--timeout", "SECONDS", "How long to wait for that socket (3)."),
    ("--interval", "SECONDS", "How often to check that osquery still has the extension registered (3)."),
    ("--verbose", "", "Log to standard error."),
];

/// The man page, as roff.
pub fn man_page(command: Command) -> io::Result<String> {
    let commands: Vec<Command> = command.get_subcommands().cloned().collect();
    let man = Man::new(command).manual("mdm-health");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut rest = Roff::new();
    rest.control("SH", ["COMMANDS"]);
    rest.text([roman("diagnose, heal, help and version also work as mdm-watchdog's flags, such as -diagnose.")]);
    for command in commands.iter().filter(|command| !command.is_hide_set()) {
        describe(&mut rest, command);
    }
    as_written(&mut rest, "OUTPUTS AND EXIT CODES", &watchdog::help());
    as_written(&mut rest, "CAPTURES", capture::HELP);
    osquery(&mut rest);
    names(&mut rest);
    rest.to_writer(&mut page)?;
    String::from_utf8(page).map_err(io::Error::other)
}

/// What a shell reads to complete the command line.
pub fn completions(mut command: Command, shell: Shell) -> io::Result<String> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8(script).map_err(io::Error::other)
}

/// A command, and what it takes.
fn describe(page: &mut Roff, command: &Command) {
    page.control("SS", [command.get_name()]);
    page.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        item(page, spelled(argument), &help);
    }
}

/// `--csv`, `--output DIR` or `SQL`.
fn spelled(argument: &Arg) -> Vec<Inline> {
    let values = argument.get_value_names().unwrap_or_default().join(" ");
    match argument.get_long() {
        None => vec![italic(values)],
        Some(long) if argument.get_action().takes_values() => {
            vec![bold(format!("--{long}")), roman(" "), italic(values)]
        }
        Some(long) => vec![bold(format!("--{long}"))],
    }
}

fn item(page: &mut Roff, head: Vec<Inline>, text: &str) {
    page.control("TP", []).text(head).text([roman(text)]);
}

/// What `--help` says too, in its own lines.
fn as_written(page: &mut Roff, title: &str, text: &str) {
    page.control("SH", [title]).control("nf", []);
    for line in text.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
}

fn osquery(page: &mut Roff) {
    page.control("SH", ["OSQUERY"]);
    page.text([roman(
        "The same program is the osquery extension mdm_health. osquery starts it with these flags, spelled with one dash \
         or two, and the options above but --help and --version are taken as well. Flags of osquery's that are not known \
         here are ignored.",
    )]);
    for (flag, value, text) in OSQUERY_FLAGS {
        item(page, vec![bold(flag), roman(" "), italic(value)], text);
    }
}

fn names(page: &mut Roff) {
    page.control("SH", ["TABLES"]);
    for table in DEFINITIONS {
        item(page, vec![bold(table.name)], table.description);
    }
    page.control("SH", ["QUERIES"]);
    page.text([roman("What mdm-health packs NAME prints.")]);
    for query in QUERIES {
        let hint = if matches!(query.kind, Kind::Incident) { " Run by hand." } else { "" };
        item(page, vec![bold(query.name)], &format!("{}{hint}", query.description));
    }
}
