//! The rooms of `src/`: each uses only what stands above it in the list of ARCHITECTURE.md, and no files go in circles.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, from the ground up. A room may use those before it.
const ROOMS: [&str; 14] = [
    "vocabulary",
    "property_list",
    "host",
    "log",
    "event",
    "facts",
    "journal",
    "health",
    "collect",
    "heal",
    "tables",
    "osquery",
    "report",
    "redact",
];

/// The last room, which may use all others.
const LAST: &str = "cli";

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A file's module path: `health::updates` for `src/health/updates/mod.rs`.
fn module(path: &Path) -> String {
    let within = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap().with_extension("");
    let mut parts: Vec<String> = within.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts.join("::")
}

/// The program's own text: no tests, no comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The paths that a `use` names: `crate::a::{b, c::d}` gives `crate::a::b` and `crate::a::c::d`.
fn spread(prefix: &str, tree: &str) -> Vec<String> {
    let Some((head, rest)) = tree.split_once('{') else { return vec![format!("{prefix}{}", tree.trim())] };
    let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let prefix = format!("{prefix}{}", head.trim());
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| spread(&prefix, part.trim())).collect()
}

/// The modules of ours that a file names, whole.
fn used(path: &Path, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let (own, text) = (module(path), code(path));
    let is_folder = path.ends_with("mod.rs");
    let mut named = Vec::new();
    for statement in text.split(';') {
        if let Some(tree) = statement.rsplit_once("use ").map(|(_, tree)| tree.replace('\n', " ")) {
            named.extend(spread("", tree.trim()));
        }
    }
    for part in text.split("crate::").skip(1) {
        let end = part.find(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter))).unwrap_or(part.len());
        named.push(format!("crate::{}", &part[..end]));
    }
    let mut found = BTreeSet::new();
    for path in named {
        let mut base: Vec<&str> = own.split("::").collect();
        if !is_folder {
            base.pop();
        }
        let mut parts: Vec<&str> = path.split("::").collect();
        match parts.first() {
            Some(&"crate") => {
                parts.remove(0);
                base.clear();
            }
            Some(&"super") => {
                let mut first = true;
                while parts.first() == Some(&"super") {
                    parts.remove(0);
                    // From a file that is no folder, `super` is where it stands.
                    if is_folder || !first {
                        base.pop();
                    }
                    first = false;
                }
            }
            _ => {}
        }
        // A bare path is of a crate, unless a module of that name lies beside it.
        let shortest = if path.starts_with("crate::") || path.starts_with("super::") { 1 } else { base.len() + 1 };
        let whole: Vec<&str> = base.into_iter().chain(parts).collect();
        let module =
            (shortest..=whole.len()).rev().map(|end| whole[..end].join("::")).find(|one| modules.contains(one));
        found.extend(module.filter(|module| *module != own));
    }
    found
}

fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let all = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let modules: BTreeSet<String> = all.iter().map(|path| module(path)).collect();
    all.iter().map(|path| (module(path), used(path, &modules))).collect()
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap()
}

#[test]
fn each_room_uses_only_what_stands_above_it() {
    let mut wrong = Vec::new();
    for (module, uses) in graph() {
        let Some(place) = ROOMS.iter().position(|one| *one == room(&module)) else {
            assert!(
                [LAST, "lib", "main", ""].contains(&room(&module)),
                "src/{module}.rs stands in no room of the list"
            );
            continue;
        };
        for used in uses.iter().filter(|used| room(used) != room(&module)) {
            if ROOMS[..place].iter().all(|above| *above != room(used)) {
                wrong.push(format!("{module} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_more_than_two_files_go_in_a_circle() {
    // A folder's `mod.rs` holds what its files share, and calls them: that is no circle.
    let mut graph = graph();
    for (module, uses) in &mut graph {
        uses.retain(|used| !used.is_empty() && !module.starts_with(&format!("{used}::")));
    }
    let reach = |from: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(one) = open.pop() {
            for next in graph.get(one).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(graph.get_key_value(next).unwrap().0);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = graph.keys().map(|module| (module, reach(module))).collect();
    let mut circles = BTreeSet::new();
    for (module, reaches) in &reached {
        let circle: BTreeSet<&String> =
            reaches.iter().filter(|other| reached.get(other).is_some_and(|back| back.contains(*module))).collect();
        if circle.len() > 2 {
            circles.insert(circle);
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn no_file_of_the_program_has_outgrown_its_room() {
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let lines = code(&path).lines().count();
        assert!(lines <= 400, "{} has {lines} lines of code: is there a second room in it?", path.display());
    }
}
