//! Reads `tables/*.yml`, the only place where columns are declared. Each page becomes a `TableDefinition` and a row
//! struct with one field a column. Row structs have no default, so a declared column that no code fills does not compile.

use crate::camel;
use crate::codes::Set;
use serde::Deserialize;
use std::fmt::Write as _;

/// A page in Fleet's `schema/tables` form, with three more keys a column: `holds`, `codes` and `index`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
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
    /// What the value is, where the SQL type does not say it.
    holds: Option<Holds>,
    /// The set in `codes/` that its words are of.
    codes: Option<String>,
    /// Whether a query for one value finds its rows without looking through all of them: for what tables are joined by.
    #[serde(default)]
    index: bool,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
enum Holds {
    /// Epoch seconds.
    Time,
    /// 1 or 0.
    Boolean,
    /// A word of the set.
    Code,
    /// Words of the set with commas between.
    CodeList,
    Bytes,
    Percent,
    Count,
    Seconds,
    Milliseconds,
}

impl Page {
    pub fn read(stem: &str, text: &str) -> Result<Self, String> {
        let page: Self =
            serde_saphyr::from_str(text).map_err(|e| format!("it is not a page in Fleet's schema form: {e}"))?;
        if page.name != stem {
            return Err("the file and its table have different names".to_owned());
        }
        if page.platforms != ["darwin"] || page.evented {
            return Err("every table is for darwin and none is evented".to_owned());
        }
        if page.columns.iter().any(|column| column.required) {
            return Err("no column may be required: with LIMIT osquery would not call the table at all".to_owned());
        }
        if page.columns.iter().any(|column| column.index && (column.r#type != "text" || page.name == "mdm_heal")) {
            return Err(
                "only a text can have an index, and none of mdm_heal: osquery would refuse an INSERT without it"
                    .to_owned(),
            );
        }
        Ok(page)
    }

    /// Whether a column has words of that set.
    pub fn uses(&self, set: &str) -> bool {
        self.columns.iter().any(|column| column.codes.as_deref() == Some(set))
    }
}

/// The tables as Rust.
pub fn code(pages: &[Page], sets: &[Set]) -> Result<String, String> {
    let mut code = String::new();
    for page in pages {
        code.push_str(&table(page, sets)?);
    }
    let names = pages.iter().map(|page| format!("&{}", page.name.to_uppercase())).collect::<Vec<_>>().join(", ");
    let _ = writeln!(code, "/// Every table, by name.\npub static DEFINITIONS: &[&TableDefinition] = &[{names}];");
    Ok(code)
}

fn table(page: &Page, sets: &[Set]) -> Result<String, String> {
    let row = format!("{}Row", camel(&page.name));
    let (mut fields, mut columns, mut values) = (String::new(), String::new(), String::new());
    for column in &page.columns {
        let (rust, value) = column.rust(sets).map_err(|wrong| format!("{}.{}: {wrong}.", page.name, column.name))?;
        let Column { name, description: text, hidden, index, .. } = column;
        // The only name of a column that is a word of Rust.
        let field = if name == "type" { "r#type" } else { name };
        let kind = match column.r#type.as_str() {
            "text" => "Text",
            "integer" => "Integer",
            _ => "BigInt",
        };
        let holds = column.holds.map_or("Plain".to_owned(), |holds| format!("{holds:?}"));
        let codes = column.codes.as_ref().and_then(|codes| sets.iter().find(|set| set.name == *codes));
        let codes = codes.map_or("None".to_owned(), |set| format!("Some(<{} as Code>::SET)", set.r#enum));
        let _ = writeln!(fields, "    #[doc = {text:?}]\n    pub {field}: Option<{rust}>,");
        let _ = writeln!(
            columns,
            "        ColumnDefinition {{ name: {name:?}, description: {text:?}, kind: ColumnKind::{kind}, \
             holds: Holds::{holds}, codes: {codes}, hidden: {hidden}, indexed: {index} }},"
        );
        let _ = write!(values, "{value}(self.{field}), ");
    }
    let (name, constant) = (&page.name, page.name.to_uppercase());
    let (description, examples, notes) = (&page.description, &page.examples, &page.notes);
    Ok(format!(
        "/// One row of `{name}`.\n#[derive(Debug, Clone, PartialEq)]\npub struct {row} {{\n{fields}}}\n\n\
         impl Row for {row} {{\n    const TABLE: &'static TableDefinition = &{constant};\n    \
         fn into_values(self) -> Vec<Value> {{ vec![{values}] }}\n}}\n\n\
         #[doc = {description:?}]\npub static {constant}: TableDefinition = TableDefinition {{\n    name: {name:?},\n    \
         description: {description:?},\n    examples: {examples:?},\n    notes: {notes:?},\n    columns: &[\n{columns}    ],\n}};\n\n"
    ))
}

impl Column {
    /// The type of its field, and the function of `tables/mod.rs` that makes an SQL value of it.
    fn rust(&self, sets: &[Set]) -> Result<(String, &'static str), String> {
        let set = match &self.codes {
            Some(name) => {
                Some(sets.iter().find(|set| set.name == *name).ok_or_else(|| format!("there is no codes/{name}.yml"))?)
            }
            None => None,
        };
        if self.name.ends_with("_at") && self.holds != Some(Holds::Time) {
            return Err("a column whose name ends with _at holds a time".to_owned());
        }
        let plain = |rust: &str, value| Ok((rust.to_owned(), value));
        match (self.holds, self.r#type.as_str(), set) {
            (None, "text", _) => plain("Text", "plain"),
            (None, "integer", None) => plain("i32", "plain"),
            (None, "bigint", None) => plain("i64", "plain"),
            (Some(Holds::Time), "bigint", None) => plain("Time", "time"),
            (Some(Holds::Boolean), "integer", None) => plain("bool", "boolean"),
            (Some(Holds::Percent), "integer", None) => plain("u8", "percent"),
            (Some(Holds::Count), "integer", None) => plain("u32", "count32"),
            (Some(Holds::Count | Holds::Bytes), "bigint", None) => plain("u64", "count"),
            (Some(Holds::Seconds), "integer", None) => plain("i32", "plain"),
            (Some(Holds::Seconds | Holds::Milliseconds), "bigint", None) => plain("i64", "plain"),
            (Some(Holds::Code), "text", Some(set)) => Ok((set.r#enum.clone(), "code")),
            (Some(Holds::CodeList), "text", Some(set)) => Ok((format!("Vec<{}>", set.r#enum), "code_list")),
            (holds, kind, _) => Err(format!("holds {holds:?} does not go with the type {kind} and its codes")),
        }
    }
}
