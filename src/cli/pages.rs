//! The pages of the tables and of the words in them, as a person reads them.

use crate::tables::{DEFINITIONS, TableDefinition};
use crate::vocabulary::codes::{CODE_SETS, CodeSet};
use std::fmt::Write as _;

/// What is the same for every table, so that its own notes need not say it.
const IN_OSQUERY: &str = "In osquery a text without a value is `''`, not NULL (a fault of osquery's). So write \
                          `nullif(column, '')` where a query tells the two apart, as in `coalesce` and in joins.";

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
        let codes = column.codes.map(|set| words(set, "  ")).unwrap_or_default();
        format!("- `{}` ({}{hidden}): {}\n{codes}", column.name, column.kind.sql(), column.description)
    });
    let columns: String = columns.collect();
    Some(format!(
        "# {name}\n\n{description}\n\n## Columns\n\n{columns}\n## Examples\n\n{examples}\n\n## Notes\n\n{notes}\n\n{IN_OSQUERY}\n"
    ))
}

/// The sets of words, a line each.
pub fn code_sets() -> String {
    CODE_SETS.iter().fold("| set | what its words are |\n|---|---|\n".to_owned(), |mut page, set| {
        let _ = writeln!(page, "| `{}` | {} |", set.name, set.meaning);
        page
    })
}

/// The words of one set with what to do, in Markdown. `None` if there is no such set.
pub fn code_set(name: &str) -> Option<String> {
    let set = CODE_SETS.iter().find(|set| set.name == name)?;
    let sourced = set.codes.iter().any(|code| !code.source.is_empty());
    let (head, line) = if sourced { (" source |", "---|") } else { ("", "") };
    let mut page = format!("| word | meaning | what to do |{head}\n|---|---|---|{line}\n");
    for code in set.codes {
        let source = if sourced { format!(" {} |", code.source) } else { String::new() };
        let _ = writeln!(page, "| `{}` | {} | {} |{source}", code.word, code.meaning, code.advice);
    }
    Some(page)
}

/// The words of a column; those that belong to a word of another set say to which.
fn words(set: &CodeSet, indent: &str) -> String {
    set.codes.iter().fold(String::new(), |mut list, code| {
        let of = if code.of.is_empty() { String::new() } else { format!(" ({})", code.of) };
        let _ = writeln!(list, "{indent}- `{}`{of}: {}", code.word, code.meaning);
        list
    })
}
