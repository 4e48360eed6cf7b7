//! What mdmclient says of OS updates, category `OSUpdate`, up to macOS 26: updates listed field by field, and what it
//! asks of softwareupdated.
//!
//! Each field is a record of its own. The first eleven come at Default level, the others at Debug, so that without
//! debug messages the closing rule is missing.

use super::bounded;
use super::softwareupdated::error;
use super::update::{ItemField, UpdateMessage, product_keys, squeezed};

/// What a message of the category says.
pub fn recognise(message: &str) -> Option<UpdateMessage> {
    // `=== OS Update Item ===` (13.4)
    if message.starts_with("=== OS Update Item ===") {
        return Some(UpdateMessage::ItemBegan);
    }
    // `======================`; a Console export of 13.4 shows `=====`.
    if message.starts_with("=====") {
        return Some(UpdateMessage::ItemEnded);
    }
    request(message).or_else(|| scan(message)).or_else(|| field(message).map(UpdateMessage::ItemField))
}

/// A field: a label, padded to 27 columns, and a value:
/// `Product Key:               MSU_UPDATE_22G74_patch_13.5_minor` (13.4). A Console export wraps the value onto the
/// next line.
fn field(message: &str) -> Option<ItemField> {
    let (label, value) = message.split_once(':')?;
    let value = squeezed(value);
    let value = value.as_str();
    Some(match label.trim() {
        "Product Key" => ItemField::ProductKey(some_text(value)?),
        "Title" => ItemField::Title(some_text(value)?),
        "Version" => version(value),
        "Deferred" => deferred(value)?,
        "MacOSUpdate" => ItemField::MacOs(yes(value)?),
        "MSU" => major(value)?,
        // `Splat:                     no  <(null)> (Revoked: no)` (13.4)
        "Splat" => ItemField::RapidResponse(yes(value)?),
        // `Download size:             1556959678` (13.4)
        "Download size" => ItemField::DownloadSize(value.parse().ok()?),
        "ConfigData" => ItemField::ConfigData(yes(value)?),
        "FirmwareUpdate" => ItemField::Firmware(yes(value)?),
        // The program's own spelling, and that of a Console export of 13.4.
        "Allows InstalLater" | "Allows InstallLater" => ItemField::AllowsInstallLater(yes(value)?),
        "Critical" => ItemField::Critical(yes(value)?),
        "Post install" => restart(value)?,
        _ => return None,
    })
}

/// `YES`, `no`, and what stands behind it.
fn yes(value: &str) -> Option<bool> {
    match value.split(' ').next()? {
        word if word.eq_ignore_ascii_case("yes") => Some(true),
        word if word.eq_ignore_ascii_case("no") => Some(false),
        _ => None,
    }
}

fn some_text(value: &str) -> Option<Box<str>> {
    Some(value).filter(|value| !value.is_empty() && *value != "(null)").map(bounded)
}

/// `13.5 <Build: 22G74> <PMV: 13.5>` (13.4)
fn version(value: &str) -> ItemField {
    let (version, rest) = value.split_once(" <Build: ").unwrap_or((value, ""));
    ItemField::Version { version: some_text(version), build: rest.split('>').next().and_then(some_text) }
}

/// `no  (Date: )` (13.4)
fn deferred(value: &str) -> Option<ItemField> {
    let until = value.split_once("(Date: ").and_then(|(_, rest)| some_text(rest.strip_suffix(')')?.trim()));
    Some(ItemField::Deferred { deferred: yes(value)?, until })
}

/// `YES  (Major: no  Full: no  DL: no  label: macOS Ventura 13.5-22G74)` (13.4)
fn major(value: &str) -> Option<ItemField> {
    if !yes(value)? {
        return Some(ItemField::Major(None));
    }
    value.split_once("(Major: ").and_then(|(_, rest)| yes(rest)).map(|major| ItemField::Major(Some(major)))
}

/// `<Restart>` (13.4); the program also knows `<Eventual Restart>` and `<Shutdown>`. What a shutdown means for a restart
/// is not known, so it is left out.
fn restart(value: &str) -> Option<ItemField> {
    match value {
        "<Restart>" | "<Eventual Restart>" => Some(ItemField::RestartRequired(true)),
        "" => Some(ItemField::RestartRequired(false)),
        _ => None,
    }
}

/// Known only as the program's format strings (removed in macOS 27):
/// `Requesting installUpdates: %@  InstallAction: %@ options: %@`,
/// `Requesting installUpdates (PMV): %@  InstallAction: %@ options: %@`,
/// `Unable to queue update: (Product: %@  PMV: %@) ==> %@`.
fn request(message: &str) -> Option<UpdateMessage> {
    if let Some(rest) = message.strip_prefix("Requesting installUpdates") {
        let (keys, rest) = rest.split_once("InstallAction: ")?;
        let action = rest.split_once(" options: ").map_or(rest, |(action, _)| action);
        return Some(UpdateMessage::InstallRequested {
            product_keys: product_keys(keys),
            action: bounded(action.trim()),
        });
    }
    let rest = message.strip_prefix("Unable to queue update: (Product: ")?;
    let (what, error) = rest.split_once(") ==> ")?;
    let (key, version) = what.split_once("PMV: ").unwrap_or((what, ""));
    Some(UpdateMessage::NotQueued {
        product_key: some_text(key.trim()),
        version: some_text(version.trim()),
        error: bounded(&squeezed(error)),
    })
}

/// Known only as the program's format strings (removed in macOS 27): `SU scan was started`,
/// `Found %@ available updates.`, `AvailableUpdates returned error: %@`, `initiateBackgroundScan failed: %@`.
fn scan(message: &str) -> Option<UpdateMessage> {
    if message.starts_with("SU scan was started") {
        return Some(UpdateMessage::ScanStarted { version: None, detail: bounded(&squeezed(message)) });
    }
    if message.starts_with("Found ") && message.contains(" available updates.") {
        return Some(UpdateMessage::ScanEnded { detail: bounded(&squeezed(message)) });
    }
    let failed = ["AvailableUpdates returned error: ", "initiateBackgroundScan failed: "];
    let words = failed.iter().find_map(|words| message.strip_prefix(words)).filter(|words| words.trim() != "(null)")?;
    Some(UpdateMessage::ScanFailed(error(words)))
}
