//! What softwareupdated keeps in `/Library/Preferences/com.apple.SoftwareUpdate.plist`: settings, the last scan, what
//! it recommends, and how often an update that DDM enforces has failed.

use super::{Source, from_file};
use crate::host::Host;
use crate::property_list::{dictionary, flag, get, list, moment, number, text};
use crate::vocabulary::codes::SourceName;
use crate::vocabulary::{Limits, Reading, Time};
use plist::Dictionary;

/// Where the file is.
pub const PATH: &str = "/Library/Preferences/com.apple.SoftwareUpdate.plist";

/// The preferences. A value that the file does not hold, or not in a form that is known, is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SoftwareUpdatePreferences {
    /// When a scan last succeeded.
    pub last_successful_scan_at: Option<Time>,
    /// When a full scan last succeeded.
    pub last_full_scan_at: Option<Time>,
    /// When a scan in the background last succeeded.
    pub last_background_scan_at: Option<Time>,
    /// `LastResultCode`; 2 stands on Macs whose scans succeed, what else there is has no public list.
    pub last_result_code: Option<i64>,
    /// `LastSessionSuccessful`
    pub last_session_successful: Option<bool>,
    /// `LastUpdatesAvailable`
    pub updates_available: Option<i64>,
    /// `LastRecommendedUpdatesAvailable`
    pub recommended_updates_available: Option<i64>,
    /// `AutomaticCheckEnabled`
    pub automatic_check: Option<bool>,
    /// `AutomaticDownload`
    pub automatic_download: Option<bool>,
    /// `AutomaticallyInstallMacOSUpdates`
    pub automatic_install_macos: Option<bool>,
    /// `ConfigDataInstall`
    pub config_data_install: Option<bool>,
    /// `CriticalUpdateInstall`
    pub critical_update_install: Option<bool>,
    /// `AutoInstallProductKeys`
    pub auto_install_product_keys: Option<Vec<String>>,
    /// `RecommendedUpdates`; `None` if the file has no such list.
    pub recommended: Option<Vec<RecommendedUpdate>>,
    /// `FirstOfferDateDictionary`: when each product was first offered, those long installed too.
    pub first_offered: Vec<(String, Time)>,
    /// `DDMPersistedErrorKey`
    pub ddm_failure: Option<DdmFailure>,
}

/// An update that softwareupdated recommends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecommendedUpdate {
    /// `Product Key`
    pub product_key: String,
    /// `Display Name`
    pub title: Option<String>,
    /// `Display Version`
    pub version: Option<String>,
    /// `Identifier`
    pub identifier: Option<String>,
    /// `MobileSoftwareUpdate`: whether it is an update of the system.
    pub of_the_system: bool,
}

/// How often an update that DDM enforces has failed: Apple's `softwareupdate.failure-reason`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DdmFailure {
    /// How often.
    pub count: Option<i64>,
    /// Why, the last time.
    pub reason: Option<String>,
    /// When, the last time.
    pub at: Option<Time>,
}

impl Source for SoftwareUpdatePreferences {
    const NAME: SourceName = SourceName::SoftwareUpdatePreferences;
    const LIMITS: Limits = Limits::FILE;

    fn read(host: &dyn Host) -> Reading<Self> {
        from_file(host, PATH, read).into()
    }
}

/// Reads the file's root. Seen on macOS 10.15 to 26.5.
pub fn read(root: &Dictionary) -> SoftwareUpdatePreferences {
    SoftwareUpdatePreferences {
        last_successful_scan_at: get(root, "LastSuccessfulDate", moment),
        last_full_scan_at: get(root, "LastFullSuccessfulDate", moment),
        last_background_scan_at: get(root, "LastBackgroundSuccessfulDate", moment),
        last_result_code: get(root, "LastResultCode", number),
        last_session_successful: get(root, "LastSessionSuccessful", flag),
        updates_available: get(root, "LastUpdatesAvailable", number),
        recommended_updates_available: get(root, "LastRecommendedUpdatesAvailable", number),
        automatic_check: get(root, "AutomaticCheckEnabled", flag),
        automatic_download: get(root, "AutomaticDownload", flag),
        automatic_install_macos: get(root, "AutomaticallyInstallMacOSUpdates", flag),
        config_data_install: get(root, "ConfigDataInstall", flag),
        critical_update_install: get(root, "CriticalUpdateInstall", flag),
        auto_install_product_keys: list(root, "AutoInstallProductKeys")
            .map(|keys| keys.iter().filter_map(text).collect()),
        recommended: list(root, "RecommendedUpdates")
            .map(|updates| updates.iter().filter_map(|update| recommended(update.as_dictionary()?)).collect()),
        first_offered: dictionary(root, "FirstOfferDateDictionary")
            .map(|dates| dates.iter().filter_map(|(key, at)| Some((key.clone(), moment(at)?))).collect())
            .unwrap_or_default(),
        ddm_failure: dictionary(root, "DDMPersistedErrorKey").map(|failure| DdmFailure {
            count: get(failure, "count", number),
            reason: get(failure, "reason", text),
            at: get(failure, "timestamp", moment),
        }),
    }
}

fn recommended(update: &Dictionary) -> Option<RecommendedUpdate> {
    Some(RecommendedUpdate {
        product_key: get(update, "Product Key", text).or_else(|| get(update, "Identifier", text))?,
        title: get(update, "Display Name", text),
        version: get(update, "Display Version", text),
        identifier: get(update, "Identifier", text),
        of_the_system: get(update, "MobileSoftwareUpdate", flag) == Some(true),
    })
}
