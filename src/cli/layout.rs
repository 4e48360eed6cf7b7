//! Rows for people to read: a table, or one list of columns per row where a table would be too wide.

use super::shell::Rows;
use crate::tables::Value;
use crate::vocabulary::printable;
use std::fmt::Write as _;

/// The widest table, in characters. Wider ones are printed as lists.
const MAX_WIDTH: usize = 120;

/// Prints rows. NULL is empty in a table and `NULL` in a list.
pub fn table(rows: &Rows) -> String {
    let heads: Vec<String> = rows.columns.iter().map(|name| printable(name)).collect();
    let cells: Vec<Vec<String>> = rows.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let widths: Vec<usize> = (heads.iter().enumerate())
        .map(|(column, head)| {
            let cells = cells.iter().filter_map(|row| row.get(column)).map(|cell| width(cell));
            cells.max().unwrap_or(0).max(width(head))
        })
        .collect();
    if widths.iter().map(|width| width + 3).sum::<usize>() < MAX_WIDTH {
        grid(&heads, &cells, &widths)
    } else {
        lists(&heads, rows, &cells)
    }
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
            let _ = writeln!(printed, "{head:>longest$} = {shown}");
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
    text.chars().count()
}
