//! `query`: where its SQL comes from, and how its rows are printed.

use super::layout;
use super::shell::{Format, Shell, ShellError};
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The longest SQL that is read, in bytes.
const MOST: u64 = 1 << 20;

/// What to ask, and how to print the answer.
#[derive(Debug, Clone, clap::Args)]
pub struct QueryOptions {
    /// The SQL, such as "SELECT * FROM mdm_watchdog", or several statements with semicolons between them; each result is
    /// printed. - reads it from standard input. Without SQL it is read from standard input too, or, if that is a terminal,
    /// an interactive shell begins
    #[arg(allow_hyphen_values = true, value_parser = sql_argument)]
    sql: Option<String>,
    /// Read the SQL from a file
    #[arg(short, long, value_name = "FILE", conflicts_with = "sql")]
    file: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

/// At most one of them.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(multiple = false)]
struct Form {
    /// Print JSON: for each result an array with an object per row
    #[arg(long)]
    json: bool,
    /// Print CSV
    #[arg(long)]
    csv: bool,
    /// Print a table, even if it is wider than the terminal
    #[arg(long)]
    table: bool,
    /// Print each row as a list of its columns
    #[arg(long)]
    list: bool,
}

/// Why there is no SQL.
#[derive(Debug, Error)]
pub enum SqlError {
    #[error("the SQL cannot be read from {from}: {why}")]
    Unreadable { from: String, why: io::Error },
    #[error("the SQL in {from} is longer than {MOST} bytes: split it")]
    TooLong { from: String },
}

impl QueryOptions {
    /// What is to be run; `None` where somebody sits at a terminal to type it.
    pub fn sql(&self) -> Result<Option<String>, SqlError> {
        match (&self.sql, &self.file) {
            (_, Some(file)) if file != Path::new("-") => {
                let from = file.to_string_lossy().into_owned();
                let opened = File::open(file).map_err(|why| SqlError::Unreadable { from: from.clone(), why })?;
                read(opened, from).map(Some)
            }
            (Some(sql), _) if sql != "-" => Ok(Some(sql.clone())),
            (None, None) if io::stdin().is_terminal() => Ok(None),
            _ => read(io::stdin(), "standard input".to_owned()).map(Some),
        }
    }

    pub fn format(&self) -> Format {
        match self.form {
            Form { json: true, .. } => Format::Json,
            Form { csv: true, .. } => Format::Csv,
            Form { table: true, .. } => Format::Table,
            Form { list: true, .. } => Format::List,
            _ => Format::Fitting(layout::width_of_output()),
        }
    }

    /// Runs the statements, and shows each result, with an empty line between two.
    pub fn run(
        &self,
        shell: &Shell,
        sql: &str,
        show: impl Fn(&str) -> Result<(), ShellError>,
    ) -> Result<(), ShellError> {
        let (format, mut first) = (self.format(), true);
        shell.run(sql, |rows| {
            let printed = rows.printed(format)?;
            let is_apart = first || format == Format::Json;
            first = false;
            if is_apart { show(&printed) } else { show(&format!("\n{printed}")) }
        })
    }
}

fn read(from: impl Read, name: String) -> Result<String, SqlError> {
    let mut sql = String::new();
    match from.take(MOST + 1).read_to_string(&mut sql) {
        Err(why) => Err(SqlError::Unreadable { from: name, why }),
        Ok(read) if read as u64 > MOST => Err(SqlError::TooLong { from: name }),
        Ok(_) => Ok(sql),
    }
}

/// SQL may begin with a comment, `-- why`; a flag that there is not is no SQL.
fn sql_argument(argument: &str) -> Result<String, String> {
    let is_flag = argument.len() > 1 && argument.starts_with('-') && !argument.contains(char::is_whitespace);
    if is_flag {
        return Err("there is no such option; SQL that begins with a comment has a blank in it".to_owned());
    }
    Ok(argument.to_owned())
}
