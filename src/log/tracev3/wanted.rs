//! Which records of a log are wanted, and which processes of a catalog may have written them.

use super::catalog::{Catalog, CatalogProcess, ProcessId};
use std::collections::HashMap;

/// Records that are wanted. An empty text stands for any.
#[derive(Debug, Clone, Default)]
pub struct WantedRecords {
    /// The name of the process: the last part of its image path.
    pub process: String,
    pub subsystem: String,
    pub category: String,
    /// A subsystem that the process uses: one without a path that uses it may be this process. Empty for none.
    pub telltale: String,
}

impl WantedRecords {
    /// All records of a process.
    pub fn of_process(name: &str) -> Self {
        Self { process: name.to_owned(), ..Self::default() }
    }

    fn is_of(&self, image: Option<&str>) -> bool {
        self.process.is_empty() || image.and_then(|image| image.rsplit('/').next()) == Some(&self.process)
    }

    fn names_subsystem(&self) -> bool {
        !self.subsystem.is_empty() || !self.category.is_empty()
    }

    fn is_in(&self, subsystem: &[u8], category: &[u8]) -> bool {
        let is = |wanted: &str, found: &[u8]| wanted.is_empty() || wanted.as_bytes() == found;
        is(&self.subsystem, subsystem) && is(&self.category, category)
    }
}

/// What is wanted of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    All,
    /// The records with these subsystem identifiers.
    Subsystems(Vec<u16>),
}

/// The wanted processes of a catalog.
#[derive(Debug, Default)]
pub struct Selection {
    parts: HashMap<ProcessId, Option<Part>>,
    /// The indexes of those of which something is wanted.
    indexes: Vec<u16>,
    suspects: Vec<u128>,
}

impl Selection {
    /// What is wanted of the processes of a catalog. `image` gives the path of an executable, where it is known.
    pub fn new<P: AsRef<str>>(wanted: &[WantedRecords], catalog: &Catalog, image: impl Fn(u128) -> Option<P>) -> Self {
        let mut selection = Self::default();
        for process in &catalog.processes {
            let path = image(process.image);
            if path.is_none() && process.image != 0 && is_suspect(wanted, catalog, process) {
                selection.suspects.push(process.image);
            }
            let part = part(wanted, catalog, process, path.as_ref().map(AsRef::as_ref));
            if part.is_some() {
                selection.indexes.push(process.index);
            }
            selection.parts.insert(process.id, part);
        }
        selection
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    /// The UUIDs of processes without a path that may be wanted ones.
    pub fn suspects(&self) -> impl Iterator<Item = u128> {
        self.suspects.iter().copied()
    }

    /// What is wanted of a process. `Some(None)`: nothing. `None`: the process is in no catalog.
    pub fn part(&self, id: ProcessId) -> Option<Option<&Part>> {
        self.parts.get(&id).map(Option::as_ref)
    }

    /// Whether something of one of these processes is wanted.
    pub fn has_one_of(&self, indexes: &[u16]) -> bool {
        indexes.iter().any(|index| self.indexes.contains(index))
    }
}

fn is_suspect(wanted: &[WantedRecords], catalog: &Catalog, process: &CatalogProcess) -> bool {
    let telltales = || wanted.iter().map(|wanted| wanted.telltale.as_bytes()).filter(|telltale| !telltale.is_empty());
    catalog.subsystems(process).any(|(_, subsystem, _)| telltales().any(|telltale| telltale == subsystem))
}

fn part(wanted: &[WantedRecords], catalog: &Catalog, process: &CatalogProcess, image: Option<&str>) -> Option<Part> {
    let of_process = || wanted.iter().filter(|wanted| wanted.is_of(image));
    if of_process().any(|wanted| !wanted.names_subsystem()) {
        return Some(Part::All);
    }
    of_process().next()?;
    let is_wanted = |subsystem: &[u8], category: &[u8]| of_process().any(|wanted| wanted.is_in(subsystem, category));
    let found = catalog.subsystems(process).filter(|(_, subsystem, category)| is_wanted(subsystem, category));
    let identifiers: Vec<u16> = found.map(|(identifier, ..)| identifier).collect();
    (!identifiers.is_empty()).then_some(Part::Subsystems(identifiers))
}
