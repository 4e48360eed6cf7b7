//! The tables' pages, as a person reads them.

use crate::tables::{DEFINITIONS, TableDefinition};

/// The list of tables in the README.
pub fn list() -> String {
    let rows = DEFINITIONS.iter().map(|table| format!("| `{}` | {} |\n", table.name, table.description));
    format!("| table | what a row is |\n|---|---|\n{}", rows.collect::<String>())
}

/// All that is to know of one table, in Markdown. `None` if there is no such table.
pub fn page(name: &str) -> Option<String> {
    let table = DEFINITIONS.iter().find(|table| table.name == name)?;
    let TableDefinition { name, description, examples, notes, columns } = table;
    let columns = columns.iter().map(|column| {
        let hidden = if column.hidden { ", hidden: `SELECT *` leaves it out" } else { "" };
        format!("- `{}` ({}{hidden}): {}\n", column.name, column.kind.sql(), column.description)
    });
    let columns: String = columns.collect();
    Some(format!(
        "# {name}\n\n{description}\n\n## Columns\n\n{columns}\n## Examples\n\n{examples}\n\n## Notes\n\n{notes}\n"
    ))
}
