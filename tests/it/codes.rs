//! The words of SQL: each that is declared can be produced, and what people read is made from the declarations.
use mdm_health::vocabulary::codes::CODE_SETS;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

/// `recent_success` as `RecentSuccess`.
fn camel(word: &str) -> String {
    word.split('_').map(|part| part[..1].to_uppercase() + &part[1..]).collect()
}

#[test]
fn every_declared_word_can_be_produced() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let code: String = (files.iter().filter(|path| !path.starts_with(root.join("src/vocabulary"))))
        .map(|path| fs::read_to_string(path).unwrap())
        .map(|text| text.split("#[cfg(test)]").next().unwrap().to_owned())
        .collect();
    for set in CODE_SETS {
        let yaml = fs::read_to_string(root.join(format!("codes/{}.yml", set.name))).unwrap();
        let name = yaml.lines().find_map(|line| line.strip_prefix("enum: ")).unwrap();
        // Words that begin with a capital letter are Apple's: logs bring them.
        for word in set.codes.iter().map(|code| code.word).filter(|word| !word.starts_with(char::is_uppercase)) {
            let variant = camel(word);
            let written = |owner: &str| {
                let path = format!("{owner}::{variant}");
                code.match_indices(&path).any(|(at, _)| !code[at + path.len()..].starts_with(char::is_alphanumeric))
            };
            let in_its_own_impl =
                || code.contains(&format!("impl {name} {{")) || code.contains(&format!("for {name} {{"));
            assert!(
                written(name) || (in_its_own_impl() && written("Self")),
                "codes/{}.yml declares {word}, and nothing makes {name}::{variant}: remove it, or produce it",
                set.name
            );
        }
    }
}

#[test]
fn every_word_has_a_meaning_and_belongs_to_a_word_that_there_is() {
    let states: Vec<&str> = CODE_SETS.iter().flat_map(|set| set.codes).map(|code| code.word).collect();
    for set in CODE_SETS {
        assert!(set.meaning.ends_with('.'), "{}", set.name);
        for code in set.codes {
            assert!(code.meaning.ends_with('.'), "{}: {}", set.name, code.word);
            assert!(code.of.is_empty() || states.contains(&code.of), "{}: {}", set.name, code.of);
        }
    }
}
