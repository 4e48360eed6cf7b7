//! What softwareupdated keeps of declarative management, in `SoftwareUpdateDDMStatePersistence.plist`: the updates that
//! are enforced, and the settings.

use super::{Source, from_bytes};
use crate::host::{Host, HostError};
use crate::property_list::{dictionary, get, list, moment, number, text};
use crate::vocabulary::codes::SourceName;
use crate::vocabulary::{Fact, Limits, Reading};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::SecondsFormat;
use plist::{Dictionary, Value};
use std::io::ErrorKind;

/// Where the file is, from macOS 14 on.
pub const PATH: &str = "/private/var/db/softwareupdate/SoftwareUpdateDDMStatePersistence.plist";

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DdmState {
    /// The updates that are enforced; `None` if the file has no place for them, as on macOS 26.2.
    pub declarations: Option<Vec<StoredDeclaration>>,
    /// The settings; `None` if there are none.
    pub settings: Option<DdmSettings>,
}

/// A declaration of an enforced update.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredDeclaration {
    /// The key under which it is kept.
    pub key: String,
    /// `TargetOSVersion`
    pub version: Option<String>,
    /// `TargetBuildVersion`
    pub build: Option<String>,
    /// `TargetLocalDateTime`: in the Mac's local time, or with a Z.
    pub deadline: Option<String>,
    /// `DetailsURL`
    pub details_url: Option<String>,
}

/// The settings, with the numbers that the file has; a boolean is 1 or 0. What numbers beside these mean, Apple does not
/// say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DdmSettings {
    /// `adminInstallRequired`
    pub admin_install_required: Option<i64>,
    /// `automaticallyDownload`
    pub automatic_download: Option<i64>,
    /// `automaticallyInstallOSUpdates`
    pub automatic_install_macos: Option<i64>,
    /// `automaticallyInstallSystemAndSecurityUpdates`
    pub automatic_install_security: Option<i64>,
    /// `enableGlobalNotifications`
    pub notifications: Option<i64>,
    /// `enableRapidSecurityResponse`
    pub rapid_security_response: Option<i64>,
    /// `enableRapidSecurityResponseRollback`
    pub rapid_security_response_rollback: Option<i64>,
    /// `serializedKeys`: the identifiers of the declarations that say so.
    pub declaration_ids: Vec<String>,
}

impl Source for DdmState {
    const NAME: SourceName = SourceName::DdmState;
    const LIMITS: Limits = Limits::FILE;

    fn read(host: &dyn Host) -> Reading<Self> {
        // A Mac that has no such file was never given a declaration; a capture without it says nothing.
        let value = match host.read_file(PATH) {
            Err(HostError::Unreadable { why, .. }) if why.kind() == ErrorKind::NotFound => {
                Fact::Known(Self { declarations: Some(Vec::new()), settings: None })
            }
            Err(error) => error.into(),
            Ok(bytes) => from_bytes(&bytes, PATH, read),
        };
        value.into()
    }
}

/// Reads the file's root. Seen on macOS 14.2.1 (no declarations) and 26.2 (settings); a filled declaration is known from
/// tools that read it.
pub fn read(root: &Dictionary) -> DdmState {
    let Some(fields) = dictionary(root, "SUCorePersistedStatePolicyFields") else { return DdmState::default() };
    DdmState {
        declarations: dictionary(fields, "Declarations")
            .map(|all| all.iter().map(|(key, one)| declaration(key, one)).collect()),
        settings: dictionary(fields, "SUCoreDDMDeclarationGlobalSettings").map(settings),
    }
}

fn declaration(key: &str, value: &Value) -> StoredDeclaration {
    // Whatever it says, it is a declaration; what cannot be read of it is unknown.
    let none = Dictionary::new();
    let fields = value.as_dictionary().unwrap_or(&none);
    let deadline = |value: &Value| match value {
        // A date is an instant, not a local time.
        Value::Date(_) => moment(value).map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)),
        _ => text(value),
    };
    StoredDeclaration {
        key: get(fields, "RMStoreDeclarationKey", text).unwrap_or_else(|| key.to_owned()),
        version: get(fields, "TargetOSVersion", text),
        build: get(fields, "TargetBuildVersion", text),
        deadline: get(fields, "TargetLocalDateTime", deadline),
        details_url: get(fields, "DetailsURL", text),
    }
}

fn settings(fields: &Dictionary) -> DdmSettings {
    let keys = list(fields, "serializedKeys").unwrap_or_default();
    DdmSettings {
        admin_install_required: get(fields, "adminInstallRequired", number),
        automatic_download: get(fields, "automaticallyDownload", number),
        automatic_install_macos: get(fields, "automaticallyInstallOSUpdates", number),
        automatic_install_security: get(fields, "automaticallyInstallSystemAndSecurityUpdates", number),
        notifications: get(fields, "enableGlobalNotifications", number),
        rapid_security_response: get(fields, "enableRapidSecurityResponse", number),
        rapid_security_response_rollback: get(fields, "enableRapidSecurityResponseRollback", number),
        declaration_ids: keys.iter().filter_map(text).map(|key| declaration_id(&key).unwrap_or(key)).collect(),
    }
}

/// The server's identifier of a declaration, out of the key under which the Mac keeps it: what stands behind the colon
/// is base64 of the identifier, a dot, and base64 of the server's token:
/// `com.apple.RemoteManagement.SoftwareUpdateExtension.GlobalSettings/811362F1-…:Qmx1ZXByaW50….NDg5NTdi…` (26.2).
pub fn declaration_id(key: &str) -> Option<String> {
    let (identifier, _token) = key.rsplit_once(':')?.1.split_once('.')?;
    let identifier = String::from_utf8(STANDARD.decode(identifier).ok()?).ok()?;
    (!identifier.is_empty() && !identifier.contains(char::is_control)).then_some(identifier)
}
