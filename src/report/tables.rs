//! The tables behind the page, as they are.

use super::view::{self, RowView, TableView};
use super::{Report, html};
use crate::tables::{ColumnDefinition, Holds, Value};
use std::fmt::Write as _;

/// The most rows of a table: the last ones, which are the newest where there is an order of time.
const MOST_ROWS: usize = 100;

/// Every table, closed until somebody looks.
pub fn section(report: &Report) -> String {
    let mut section = format!(
        "<section id=\"tables\"><h2>Tables</h2><p class=\"note\">Everything on this page comes from these tables. \
         Times are in {}; in SQL they are epoch seconds. NULL means unknown or none.</p>\n",
        report.clock.name(report.now, report.now)
    );
    for table in &report.tables {
        section.push_str(&one(report, table));
    }
    section + "</section>\n"
}

/// The columns' names before their cells, for paper and for narrow screens, where a row is a paragraph.
pub fn style(report: &Report) -> String {
    let mut style = String::new();
    for table in report.tables.iter().filter(|table| table.rows().len() > 1) {
        let columns = table.definition.columns.iter().filter(|column| !column.hidden);
        for (column, number) in columns.zip(1..) {
            let (table, column) = (table.definition.name, column.name);
            let _ = writeln!(style, "#t-{table} td:nth-child({number})::before {{ content: \"{column}: \"; }}");
        }
    }
    style
}

fn one(report: &Report, table: &TableView) -> String {
    let (name, description, rows) = (table.definition.name, table.definition.description, table.rows().len());
    let count = if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
    let mut page = format!(
        "<details><summary><code>{name}</code> <small>{count}</small></summary><p>{}</p>\n",
        html::prose(description)
    );
    let only = table.rows().next().filter(|_| rows == 1);
    match only {
        Some(row) => page.push_str(&upright(report, row)),
        None if rows > 0 => page.push_str(&grid(report, table)),
        None => {}
    }
    page + "</details>\n"
}

/// One row, a line a column.
fn upright(report: &Report, row: RowView<'_>) -> String {
    let mut page = "<table class=\"upright\"><tbody>\n".to_owned();
    for (column, value) in row.shown() {
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\"><code>{}</code></th>{}<td>{}</td></tr>",
            column.name,
            cell(report, column, value),
            html::prose(column.description)
        );
    }
    page + "</tbody></table>\n"
}

/// Many rows, a line a row; the columns' descriptions lie behind their names.
fn grid(report: &Report, table: &TableView) -> String {
    let name = table.definition.name;
    let mut page = String::new();
    if let Some(more @ 1..) = table.rows().len().checked_sub(MOST_ROWS) {
        let _ = writeln!(
            page,
            "<p>These are the last {MOST_ROWS} rows; {more} earlier ones are left out. \
             <code>mdm-health query \"SELECT * FROM {name}\"</code> prints them all.</p>"
        );
    }
    let _ = writeln!(
        page,
        "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"The table {name}\"><table class=\"grid\" id=\"t-{name}\"><thead><tr>"
    );
    for column in table.definition.columns.iter().filter(|column| !column.hidden) {
        let _ = write!(page, "<th scope=\"col\" title=\"{}\">{}</th>", html::text(column.description), column.name);
    }
    page.push_str("</tr></thead><tbody>\n");
    let skipped = table.rows().len().saturating_sub(MOST_ROWS);
    for row in table.rows().skip(skipped) {
        let cells: String = row.shown().map(|(column, value)| cell(report, column, value)).collect();
        let _ = writeln!(page, "<tr>{cells}</tr>");
    }
    page + "</tbody></table></div>\n"
}

fn cell(report: &Report, column: &ColumnDefinition, value: &Value) -> String {
    match value {
        Value::Null => "<td class=\"null\">NULL</td>".to_owned(),
        Value::Text(text) => format!("<td>{}</td>", html::text(text)),
        Value::Integer(number) => match view::moment(*number).filter(|_| column.holds == Holds::Time) {
            Some(at) => format!("<td class=\"moment\">{}</td>", report.clock.full(at)),
            None => format!("<td class=\"number\">{number}</td>"),
        },
    }
}
