//! Makes Rust out of what is declared once: `codes/*.yml` (states and reasons), `tables/*.yml` (columns) and
//! `packs/queries/*.sql` (the queries of the packs).

#[path = "build/codes.rs"]
mod codes;
#[path = "build/packs.rs"]
mod packs;
#[path = "build/tables.rs"]
mod tables;

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), String> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(|e| e.to_string())?);
    let sets = each(&root, "codes", "yml", codes::Set::read)?;
    let pages = each(&root, "tables", "yml", tables::Page::read)?;
    let queries = each(&root, "packs/queries", "sql", packs::Source::read)?;
    write("codes.rs", &codes::code(&sets, &pages)?)?;
    write("rows.rs", &tables::code(&pages, &sets)?)?;
    write("packs.rs", &packs::code(&queries))
}

/// Reads each file of a folder with that ending, by name. Cargo runs this again when one of them changes.
fn each<T>(
    root: &Path,
    folder: &str,
    ending: &str,
    read: impl Fn(&str, &str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    println!("cargo:rerun-if-changed={folder}");
    let mut files: Vec<PathBuf> = fs::read_dir(root.join(folder))
        .map_err(|e| format!("The folder {folder} cannot be read: {e}."))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).map_err(|e| format!("{} cannot be read: {e}.", path.display()))?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            read(&stem, &text).map_err(|wrong| format!("{}: {wrong}.", path.display()))
        })
        .collect()
}

fn write(name: &str, code: &str) -> Result<(), String> {
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|e| e.to_string())?).join(name);
    fs::write(&out, code).map_err(|e| format!("{} cannot be written: {e}.", out.display()))
}

/// `mdm_watchdog` as `MdmWatchdog`.
fn camel(snake: &str) -> String {
    snake
        .split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        })
        .collect()
}
