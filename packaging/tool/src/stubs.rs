//! The symbols that the libraries of a version of macOS have: `.tbd` files, by which linkers know them.

use object::Architecture;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The symbols by library and architecture.
#[derive(Default)]
pub struct Stubs {
    libraries: BTreeMap<String, Symbols>,
}

#[derive(Default)]
struct Symbols {
    arm64: BTreeSet<String>,
    x86_64: BTreeSet<String>,
}

/// One library in a `.tbd` file of version 4.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Library {
    install_name: String,
    #[serde(default)]
    exports: Vec<Exports>,
    #[serde(default)]
    reexports: Vec<Exports>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Exports {
    targets: Vec<String>,
    #[serde(default)]
    symbols: Vec<String>,
    #[serde(default)]
    weak_symbols: Vec<String>,
}

impl Stubs {
    /// Adds the library of a `.tbd` file.
    pub fn read(&mut self, path: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(path).map_err(|why| format!("{} cannot be read: {why}", path.display()))?;
        self.add(&text).map_err(|why| format!("{} is not a list of symbols: {why}", path.display()))
    }

    /// Adds the library that a `.tbd` file's text describes. Each further YAML document in it is one that the first exports
    /// as its own.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let documents: Vec<Library> = serde_saphyr::from_multiple(text).map_err(|why| why.to_string())?;
        let name = documents.first().map(|first| first.install_name.clone()).ok_or("it is empty")?;
        let symbols = self.libraries.entry(name).or_default();
        for exports in documents.into_iter().flat_map(|library| [library.exports, library.reexports]).flatten() {
            for (target, all) in [("arm64-macos", &mut symbols.arm64), ("x86_64-macos", &mut symbols.x86_64)] {
                if exports.targets.iter().any(|one| one == target) {
                    all.extend(exports.symbols.iter().chain(&exports.weak_symbols).cloned());
                }
            }
        }
        Ok(())
    }

    /// Whether that library has that symbol.
    pub fn has(&self, library: &str, architecture: Architecture, symbol: &str) -> bool {
        self.libraries.get(library).is_some_and(|symbols| match architecture {
            Architecture::Aarch64 => symbols.arm64.contains(symbol),
            Architecture::X86_64 => symbols.x86_64.contains(symbol),
            _ => false,
        })
    }
}
