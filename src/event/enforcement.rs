//! What softwareupdated says of updates that DDM enforces, in the unified log and in install.log: the same words.

use super::bounded;
use super::update::{EnforcedDeclaration, Standing, UpdateMessage, squeezed};

/// What a message says.
///
/// The lines, from macOS 14 to 27:
///
/// ```text
/// -[SUOSUManagedServiceDaemon declarationFromKeys]: Falling back to default applicable declaration: SUCoreDDMDeclaration (DeclarationKey:…|EnforcedInstallDate:2026-08-21T13:00:00|VersionString:26.6.2|BuildVersionString:(null)|DetailsURL:(null)|companyName:(null)|NotificationsEnabled:YES)
/// … declarationFromKeys]: Found currently applicable declaration …
/// Found DDM enforced install (…
/// Adding SUCoreDDMDeclaration (DeclarationKey:com.apple.RemoteManagement.SoftwareUpdateExtension/…)
/// Failed to add declaration: … Invalid declaration: …
/// ```
///
/// Only the first line is known in full; of the others, only the words shown here.
pub fn recognise(message: &str) -> Option<UpdateMessage> {
    if message.contains("Failed to add declaration: ") && message.contains("Invalid declaration: ") {
        return Some(UpdateMessage::Rejected {
            declaration: Box::new(declaration(message)),
            detail: bounded(&squeezed(message)),
        });
    }
    if let Some(no_match) = no_match(message) {
        return Some(no_match);
    }
    let standing = standing(message)?;
    let declaration = declaration(message);
    let named = declaration.key.is_some() || declaration.deadline.is_some();
    named.then(|| UpdateMessage::Declared { standing, declaration: Box::new(declaration) })
}

fn standing(message: &str) -> Option<Standing> {
    let words = [
        ("Found currently applicable declaration", Standing::Applicable),
        ("Falling back to default applicable declaration", Standing::Fallback),
        ("Found DDM enforced install (", Standing::Enforced),
        ("Adding SUCoreDDMDeclaration (", Standing::Added),
        ("EnforcedInstallDate:", Standing::Mentioned),
    ];
    words.iter().find(|(words, _)| message.contains(words)).map(|(_, standing)| *standing)
}

/// Words that say that Apple offers nothing to enforce: `pallasNoPMVMatchFound=true`, `No updates found for DDM to
/// enforce`, and `MADownloadNoMatchFound`, which any scan may end with. A plain "No available updates found" is what a
/// Mac that is up to date says, so it is not one of them.
fn no_match(message: &str) -> Option<UpdateMessage> {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let enforced = says(&["pallasNoPMVMatchFound=true", "No updates found for DDM to enforce"]);
    (enforced || says(&["MADownloadNoMatchFound"])).then(|| UpdateMessage::NoMatch {
        version: requested_version(message),
        enforced,
        detail: bounded(&squeezed(message)),
    })
}

/// The version in `requestedPMV=27.0.1`.
pub fn requested_version(text: &str) -> Option<Box<str>> {
    let (_, rest) = text.split_once("requestedPMV=")?;
    let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '.')).unwrap_or(rest.len());
    rest.get(..end).filter(|version| version.starts_with(|first: char| first.is_ascii_digit())).map(bounded)
}

/// The fields between the bars: `DeclarationKey:%@|EnforcedInstallDate:%@|VersionString:%@|BuildVersionString:%@|…`.
fn declaration(message: &str) -> EnforcedDeclaration {
    EnforcedDeclaration {
        key: field(message, "DeclarationKey:"),
        deadline: field(message, "EnforcedInstallDate:"),
        version: field(message, "VersionString:"),
        build: field(message, "BuildVersionString:"),
        details_url: field(message, "DetailsURL:"),
    }
}

/// The value of a field, which begins the declaration or follows a bar: `BuildVersionString` ends like `VersionString`.
fn field(message: &str, label: &str) -> Option<Box<str>> {
    let (at, _) = message.match_indices(label).find(|(at, _)| {
        message.get(..*at).is_some_and(|before| before.trim_end().is_empty() || before.trim_end().ends_with(['(', '|']))
    })?;
    let rest = message.get(at + label.len()..)?;
    let value = rest.split('|').next()?.trim();
    // The last field is followed by the bracket that closes the declaration.
    let value = if value.len() == rest.trim().len() { value.strip_suffix(')').unwrap_or(value) } else { value };
    Some(value).filter(|value| !value.is_empty() && !value.starts_with("(null")).map(bounded)
}
