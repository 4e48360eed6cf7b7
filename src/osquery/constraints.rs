//! What a `generate` asks for, as far as it is used: rows with certain texts in a column that has an index.
//!
//! ```json
//! {"constraints":[{"name":"command_uuid","list":[{"op":2,"expr":"A-1"}],"affinity":"TEXT"}],"colsUsed":["name"]}
//! ```
//!
//! SQLite filters the rows again, so that everything else may be ignored: what cannot be read, operators other than `=`
//! (LIMIT arrives as operator 73 on the first column), and the columns of other tables. Older versions of osquery wrote `op`
//! as a text and an empty list as an empty text.

use crate::tables::TableDefinition;
use serde_json::Value;

/// SQLite's `=`.
const EQUALS: u64 = 2;

/// A longer context is not worth reading.
const LONGEST: usize = 64 << 10;

/// A column, and the texts that its value must be one of.
pub struct WantedTexts {
    pub column: usize,
    pub texts: Vec<String>,
}

/// The first column with an index that is asked for by value.
pub fn wanted(table: &TableDefinition, context: &str) -> Option<WantedTexts> {
    if !table.columns.iter().any(|column| column.indexed) || context.len() > LONGEST {
        return None;
    }
    let context: Value = serde_json::from_str(context).ok()?;
    context.get("constraints")?.as_array()?.iter().find_map(|constraint| {
        let name = constraint.get("name")?.as_str()?;
        let column = table.columns.iter().position(|column| column.indexed && column.name == name)?;
        let equals = constraint.get("list")?.as_array()?.iter().filter(|one| is_equals(one));
        let texts = equals.map(|one| one.get("expr")?.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
        (!texts.is_empty()).then_some(WantedTexts { column, texts })
    })
}

fn is_equals(constraint: &Value) -> bool {
    constraint
        .get("op")
        .is_some_and(|op| op.as_u64() == Some(EQUALS) || op.as_str().and_then(|op| op.parse().ok()) == Some(EQUALS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{MDM_EXCHANGES, MDM_HEAL};

    fn texts(context: &str) -> Option<Vec<String>> {
        wanted(&MDM_EXCHANGES, context).map(|wanted| {
            assert_eq!(MDM_EXCHANGES.columns[wanted.column].name, "command_uuid");
            wanted.texts
        })
    }

    #[test]
    fn a_value_of_an_indexed_column_is_found_and_all_else_is_ignored() {
        let with = |list: &str| {
            format!(r#"{{"constraints":[{{"name":"outcome","list":[]}},{{"name":"command_uuid","list":{list}}}]}}"#)
        };
        assert_eq!(texts(&with(r#"[{"op":2,"expr":"A-1"}]"#)), Some(vec!["A-1".to_owned()]));
        assert_eq!(texts(&with(r#"[{"op":"2","expr":"A-1"},{"op":73,"expr":"1"}]"#)), Some(vec!["A-1".to_owned()]));
        assert_eq!(texts(&with(r#"[{"op":2,"expr":"a"},{"op":2,"expr":"b"}]"#)).map(|found| found.len()), Some(2));
        for list in ["[]", "\"\"", "7", r#"[{"op":65,"expr":"A"}]"#, r#"[{"op":2,"expr":7}]"#, r#"[{"op":2}]"#] {
            assert_eq!(texts(&with(list)), None, "{list}");
        }
        for context in ["", "{", "null", "[]", r#"{"constraints":{}}"#, &"[".repeat(100_000)] {
            assert_eq!(texts(context), None, "{}", context.len());
        }
        let other = with(r#"[{"op":2,"expr":"A-1"}]"#).replace("command_uuid", "outcome");
        assert_eq!(texts(&other), None);
        assert!(wanted(&MDM_HEAL, &with(r#"[{"op":2,"expr":"A-1"}]"#)).is_none());
    }
}
