//! Rows for people to read: a table, or one list of columns per row where a table would be too wide.

use super::shell::Rows;
use crate::tables::Value;
use crate::vocabulary::printable;
use indicatif::HumanBytes;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use unicode_width::UnicodeWidthStr;

/// How wide a table may be that is not printed on a terminal.
const USUAL_WIDTH: usize = 120;

/// How many columns the terminal has that standard output goes to.
pub fn width_of_output() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok().filter(|_| io::stdout().is_terminal());
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(USUAL_WIDTH)
}

/// Prints rows: as a table if it is no wider than so many columns. NULL is empty in a table and `NULL` in a list.
pub fn table(rows: &Rows, most: usize) -> String {
    let heads: Vec<String> = rows.columns.iter().map(|name| printable(name)).collect();
    let cells: Vec<Vec<String>> = rows.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let widths: Vec<usize> = (heads.iter().enumerate())
        .map(|(column, head)| {
            let cells = cells.iter().filter_map(|row| row.get(column)).map(|cell| width(cell));
            cells.max().unwrap_or(0).max(width(head))
        })
        .collect();
    if widths.iter().map(|width| width + 3).sum::<usize>() < most {
        grid(&heads, &cells, &widths)
    } else {
        lists(&heads, rows, &cells)
    }
}

/// What a command says of the file that it wrote.
pub fn written(path: &str, bytes: usize) -> String {
    let size = HumanBytes(u64::try_from(bytes).unwrap_or(u64::MAX));
    format!("{} was written ({size}).\n", printable(path))
}

/// A row as a line of text.
pub fn line(row: &[Value]) -> String {
    row.iter().map(cell).collect::<Vec<_>>().join(" ")
}

fn grid(heads: &[String], cells: &[Vec<String>], widths: &[usize]) -> String {
    let rule: String = widths.iter().map(|width| format!("+{}", "-".repeat(width + 2))).collect::<String>() + "+\n";
    let line = |cells: &[String]| {
        let mut line = String::new();
        for (cell, length) in cells.iter().zip(widths) {
            let _ = write!(line, "| {cell}{} ", " ".repeat(length - width(cell).min(*length)));
        }
        line + "|\n"
    };
    let body: String = cells.iter().map(|row| line(row)).collect();
    format!("{rule}{}{rule}{body}{rule}", line(heads))
}

fn lists(heads: &[String], rows: &Rows, cells: &[Vec<String>]) -> String {
    let longest = heads.iter().map(|head| width(head)).max().unwrap_or(0);
    let mut printed = String::new();
    for (number, (row, cells)) in rows.rows.iter().zip(cells).enumerate() {
        if number > 0 {
            printed.push('\n');
        }
        for ((head, value), cell) in heads.iter().zip(row).zip(cells) {
            let shown = if *value == Value::Null { "NULL" } else { cell };
            let _ = writeln!(printed, "{}{head} = {shown}", " ".repeat(longest - width(head).min(longest)));
        }
    }
    if rows.rows.is_empty() {
        printed.push_str("no rows\n");
    }
    printed
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => printable(text),
    }
}

fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}
