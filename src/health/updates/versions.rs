//! Versions and builds of macOS compared, and what a product key says of them.

use crate::vocabulary::codes::UpdateKind;
use std::cmp::Ordering;

/// Compares two versions by their numbers: `27` is `27.0`, and `26.10` is later than `26.9`. `None` if one is none.
pub fn compare(one: &str, other: &str) -> Option<Ordering> {
    Some(numbers(one)?.cmp(&numbers(other)?))
}

/// Whether two versions are the same.
pub fn same(one: &str, other: &str) -> bool {
    compare(one, other) == Some(Ordering::Equal)
}

/// The numbers of a version, without zeros at its end. What follows a blank, as in `13.3.1 (a)`, is no part of it.
fn numbers(version: &str) -> Option<Vec<u32>> {
    let version = version.split_whitespace().next()?;
    let mut numbers = version.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()?;
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some(numbers)
}

/// Compares two builds such as `22G74`. Only builds that were released can be compared: those of betas have four digits
/// behind the letter, and come before releases with fewer.
pub fn compare_builds(one: &str, other: &str) -> Option<Ordering> {
    if one == other {
        return Some(Ordering::Equal);
    }
    Some(released(one)?.cmp(&released(other)?))
}

fn released(build: &str) -> Option<(u32, char, u32, &str)> {
    let letter = build.find(|letter: char| letter.is_ascii_uppercase())?;
    let (train, rest) = (build.get(..letter)?, build.get(letter + 1..)?);
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let (number, variant) = (rest.get(..end)?, rest.get(end..)?);
    let number = (number.len() <= 3).then(|| number.parse().ok()).flatten()?;
    Some((train.parse().ok()?, build.get(letter..)?.chars().next()?, number, variant))
}

/// What a product key of an update of the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyParts<'k> {
    /// `22G74`; full installers have none.
    pub build: Option<&'k str>,
    /// `13.5`
    pub version: &'k str,
    /// `None` where the key has no kind (macOS 11 and 12).
    pub kind: Option<UpdateKind>,
}

/// Takes a product key apart: `MSU_UPDATE_22G74_patch_13.5_minor` (13), `MSU_UPDATE_21C52_patch_12.1` (12), and
/// `_MACOS_14.7.3`, a full installer that is offered as an update (13.7). `None` for one of another form.
pub fn key_parts(key: &str) -> Option<KeyParts<'_>> {
    if let Some(version) = key.strip_prefix("_MACOS_") {
        return numbers(version).map(|_| KeyParts { build: None, version, kind: Some(UpdateKind::Major) });
    }
    let mut parts = key.strip_prefix("MSU_UPDATE_")?.split('_');
    let (build, version, kind) = match (parts.next()?, parts.next()?, parts.next()?, parts.next(), parts.next()) {
        (build, "patch", version, kind, None) => (build, version, kind),
        _ => return None,
    };
    let kind = match kind {
        Some("minor") => Some(UpdateKind::Minor),
        Some("major") => Some(UpdateKind::Major),
        Some("rsr") => Some(UpdateKind::Rsr),
        _ => None,
    };
    Some(KeyParts { build: Some(build), version, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(same("27", "27.0") && same("13.3.1 (a)", "13.3.1"));
        assert_eq!(compare("26.10", "26.9"), Some(Ordering::Greater));
        assert_eq!(compare("26.6.2", "26.6"), Some(Ordering::Greater));
        assert_eq!((compare("", "26"), compare("26.x", "26"), compare("26", "..")), (None, None, None));
    }

    #[test]
    fn only_released_builds_compare() {
        assert_eq!(compare_builds("22G90", "22G74"), Some(Ordering::Greater));
        assert_eq!(compare_builds("22E772610a", "22E772610a"), Some(Ordering::Equal));
        assert_eq!((compare_builds("22A5266r", "22A380"), compare_builds("", "22A380")), (None, None));
    }

    #[test]
    fn a_product_key_says_build_version_and_kind() {
        let parts = key_parts("MSU_UPDATE_22G74_patch_13.5_minor").unwrap();
        assert_eq!((parts.build, parts.version, parts.kind), (Some("22G74"), "13.5", Some(UpdateKind::Minor)));
        assert_eq!(key_parts("MSU_UPDATE_26A428_patch_27.0_major").unwrap().kind, Some(UpdateKind::Major));
        let old = key_parts("MSU_UPDATE_21C52_patch_12.1").unwrap();
        assert_eq!((old.build, old.version, old.kind), (Some("21C52"), "12.1", None));
        let installer = key_parts("_MACOS_27.1").unwrap();
        assert_eq!((installer.build, installer.version, installer.kind), (None, "27.1", Some(UpdateKind::Major)));
        for other in ["032-69593", "MSU_UPDATE_22G74", "MSU_UPDATE_22G74_patch_13.5_minor_x", "_MACOS_", "_MACOS_x"] {
            assert_eq!(key_parts(other), None, "{other}");
        }
    }
}
