//! Makes Rust out of `tables/*.yml`, the only place where columns are declared, and out of `packs/queries/*.sql`.
//!
//! Each page becomes a `TableDefinition` and a row struct with one field a column. Row structs have no
//! default, so a declared column that no code fills does not compile.

#[path = "build/packs.rs"]
mod packs;

use serde::Deserialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// A page in Fleet's `schema/tables` form.
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
}

fn main() -> Result<(), String> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(|e| e.to_string())?);
    write("rows.rs", &tables_code(&root)?)?;
    write("packs.rs", &packs_code(&root)?)
}

fn write(name: &str, code: &str) -> Result<(), String> {
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|e| e.to_string())?).join(name);
    fs::write(&out, code).map_err(|e| format!("{} cannot be written: {e}.", out.display()))
}

/// The files of a folder with that ending, by name. Cargo builds anew when one of them changes.
fn files(root: &Path, folder: &str, ending: &str) -> Result<Vec<PathBuf>, String> {
    println!("cargo:rerun-if-changed={folder}");
    let mut files: Vec<PathBuf> = fs::read_dir(root.join(folder))
        .map_err(|e| format!("The folder {folder} cannot be read: {e}."))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    Ok(files)
}

fn packs_code(root: &Path) -> Result<String, String> {
    let mut sources = Vec::new();
    for path in files(root, "packs/queries", "sql")? {
        let text = fs::read_to_string(&path).map_err(|e| format!("{} cannot be read: {e}.", path.display()))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        sources.push(packs::Source::read(&stem, &text).map_err(|wrong| format!("{}: {wrong}.", path.display()))?);
    }
    Ok(packs::code(&sources))
}

fn tables_code(root: &Path) -> Result<String, String> {
    let mut code = String::new();
    let mut names = Vec::new();
    for path in files(root, "tables", "yml")? {
        let page = read_page(&path)?;
        code.push_str(&table_code(&page)?);
        names.push(page.name.to_uppercase());
    }
    let _ = writeln!(
        code,
        "/// Every table, by name.\npub static DEFINITIONS: &[&TableDefinition] = &[{}];",
        names.iter().map(|name| format!("&{name}")).collect::<Vec<_>>().join(", ")
    );
    Ok(code)
}

fn read_page(path: &Path) -> Result<Page, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{} cannot be read: {e}.", path.display()))?;
    let page: Page = serde_saphyr::from_str(&text)
        .map_err(|e| format!("{} is not a page in Fleet's schema form: {e}.", path.display()))?;
    let wrong = |what: &str| Err(format!("{}: {what}.", path.display()));
    if path.file_stem().is_none_or(|stem| stem != page.name.as_str()) {
        return wrong("the file and its table have different names");
    }
    if page.platforms != ["darwin"] || page.evented {
        return wrong("every table is for darwin and none is evented");
    }
    if page.columns.iter().any(|column| column.required) {
        return wrong("no column may be required: with LIMIT osquery would not call the table at all");
    }
    Ok(page)
}

fn table_code(page: &Page) -> Result<String, String> {
    let row = format!("{}Row", camel(&page.name));
    let (mut fields, mut columns, mut values) = (String::new(), String::new(), String::new());
    for column in &page.columns {
        let (rust, kind) = match column.r#type.as_str() {
            "text" => ("Option<Text>", "Text"),
            "integer" => ("Option<i32>", "Integer"),
            "bigint" => ("Option<i64>", "BigInt"),
            other => {
                return Err(format!("{}.{}: the type {other} is not text, integer or bigint.", page.name, column.name));
            }
        };
        let (name, text, hidden) = (&column.name, &column.description, column.hidden);
        let _ = writeln!(fields, "    #[doc = {text:?}]\n    pub {name}: {rust},");
        let _ = writeln!(
            columns,
            "        ColumnDefinition {{ name: {name:?}, description: {text:?}, kind: ColumnKind::{kind}, hidden: {hidden} }},"
        );
        let _ = write!(values, "self.{name}.into(), ");
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

fn camel(snake: &str) -> String {
    snake
        .split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        })
        .collect()
}
