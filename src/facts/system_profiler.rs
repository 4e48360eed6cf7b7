//! The profiles in a sysdiagnose, as System Profiler lists them: what `profiles -C` says of a live Mac.

use super::profiles_list::{MORE_THAN_ONE, Payload, Profile, ProfilesList, of_profiles};
use crate::property_list::{get, list, old_style, parse, text};
use crate::vocabulary::Fact;
use crate::vocabulary::codes::SourceReason;
use plist::{Dictionary, Value};

/// The file's path in a sysdiagnose.
pub const PROFILES: &str = "SystemProfiler/SPConfigurationProfileDataType.spx";

/// The payload that enrolls a Mac has its type as its name here.
const NAME: &str = "_name";
const ITEMS: &str = "_items";

/// Reads the file, a binary property list:
///
/// ```text
/// [ { _items: [ { _name: "Device Configuration Profiles", _items: [ PROFILE, … ] }, … ] } ]
/// PROFILE: { _name, spconfigprofile_profile_identifier, spconfigprofile_profile_uuid, spconfigprofile_organization,
///            spconfigprofile_install_date, _items: [ { _name: "com.apple.mdm", spconfigprofile_payload_uuid,
///            spconfigprofile_payload_data: "{\n    ServerURL = \"https://…\";\n}" }, … ] }
/// ```
///
/// From about macOS 13 on profiles lie in groups of the device, of a user and for provisioning; before, the list may
/// have no groups. Only the device's count.
pub fn read_profiles(file: &[u8]) -> Fact<ProfilesList> {
    let root = match parse(file) {
        Ok(root) => root,
        Err(why) => return not_understood(&format!("is not a property list: {why}")),
    };
    let reports = root.as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(report) = reports.first().and_then(Value::as_dictionary) else {
        return not_understood("is not a report of System Profiler");
    };
    let mut computer: Option<Vec<Profile>> = None;
    for item in items(report) {
        if is_profile(item) {
            computer.get_or_insert_default().push(profile(item));
        } else if get(item, NAME, text).is_some_and(|name| name.to_lowercase().contains("device")) {
            let profiles = items(item).filter(|item| is_profile(item)).map(profile);
            computer.get_or_insert_default().extend(profiles);
        }
    }
    of_profiles(computer.as_deref()).map_or_else(|| not_understood(&format!("has {MORE_THAN_ONE}")), Fact::Known)
}

fn not_understood(what: &str) -> Fact<ProfilesList> {
    Fact::unknown(SourceReason::NotUnderstood, format!("{PROFILES} {what}."))
}

fn items(of: &Dictionary) -> impl Iterator<Item = &Dictionary> {
    list(of, ITEMS).unwrap_or_default().iter().filter_map(Value::as_dictionary)
}

/// A group has nothing but its name and items.
fn is_profile(item: &Dictionary) -> bool {
    ["spconfigprofile_profile_identifier", "spconfigprofile_profile_uuid", "spconfigprofile_install_date"]
        .iter()
        .any(|key| item.contains_key(key))
}

fn profile(item: &Dictionary) -> Profile {
    let value = |key: &str| item.get(key).cloned();
    Profile {
        profile_identifier: value("spconfigprofile_profile_identifier"),
        profile_uuid: value("spconfigprofile_profile_uuid"),
        profile_organization: value("spconfigprofile_organization"),
        profile_install_date: value("spconfigprofile_install_date").map(date),
        profile_items: items(item).map(payload).collect(),
    }
}

/// A date in the words of the Mac's language, on some versions with one that can be read in brackets behind it:
/// `31.03.23, 03:14 (2023-03-31 01:14:38 +0000)`.
fn date(value: Value) -> Value {
    let bracketed = |text: &str| Some(text.rsplit_once('(')?.1.split_once(')')?.0.to_owned());
    value.as_string().and_then(bracketed).map_or(value.clone(), Value::String)
}

fn payload(item: &Dictionary) -> Payload {
    let data = get(item, "spconfigprofile_payload_data", |data| old_style::parse(data.as_string()?).ok());
    Payload {
        payload_type: item.get(NAME).cloned(),
        payload_uuid: item.get("spconfigprofile_payload_uuid").cloned(),
        payload_content: data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MDM: &str = "{\n    AccessRights = 8191;\n    CheckInURL = \"https://mdm.example.com/checkin\";\n    \
        IdentityCertificateUUID = \"6EE63BCC-0000-4000-8000-000000000002\";\n    ServerCapabilities =     (\n        \
        \"com.apple.mdm.bootstraptoken\"\n    );\n    ServerURL = \"https://mdm.example.com/connect\";\n    \
        SignMessage = 1;\n    Topic = \"com.apple.mgmt.External.1\";\n}";

    fn dictionary(pairs: &[(&str, Value)]) -> Value {
        Value::Dictionary(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    }

    fn words(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    fn enrolling(kind: &str) -> Value {
        let scep = dictionary(&[
            (NAME, words("com.apple.security.scep")),
            ("spconfigprofile_payload_uuid", words("6ee63bcc-0000-4000-8000-000000000002")),
            ("spconfigprofile_payload_data", words("{\n    Name = \"Example CA\";\n}")),
        ]);
        let mdm = dictionary(&[(NAME, words(kind)), ("spconfigprofile_payload_data", words(MDM))]);
        dictionary(&[
            (NAME, words("Enrollment")),
            ("spconfigprofile_profile_identifier", words("com.example.mdm")),
            ("spconfigprofile_profile_uuid", words("597B4018-0000-4000-8000-000000000001")),
            ("spconfigprofile_organization", words("Example")),
            ("spconfigprofile_install_date", words("31.03.23, 03:14 (2023-03-31 01:14:38 +0000)")),
            (ITEMS, Value::Array(vec![scep, mdm])),
        ])
    }

    fn group(name: &str, profiles: &[Value]) -> Value {
        dictionary(&[(NAME, words(name)), (ITEMS, Value::Array(profiles.to_vec()))])
    }

    fn read(items: &[Value]) -> Fact<ProfilesList> {
        let report = dictionary(&[
            ("_dataType", words("SPConfigurationProfileDataType")),
            (ITEMS, Value::Array(items.to_vec())),
        ]);
        let mut file = Vec::new();
        Value::Array(vec![report]).to_writer_binary(&mut file).unwrap();
        read_profiles(&file)
    }

    #[test]
    fn the_mdm_profile_is_found_in_a_flat_list_and_in_groups() {
        let other = group("User Configuration Profiles", &[]);
        let flat = read(&[enrolling("com.apple.mdm")]);
        let grouped = read(&[other, group("Device Configuration Profiles", &[enrolling("com.apple.mdm")])]);
        assert_eq!(flat, grouped);
        let Fact::Known(ProfilesList { lists_computer: true, mdm: Some(mdm), .. }) = flat else { panic!("{flat:?}") };
        assert_eq!(mdm.identifier.as_deref(), Some("com.example.mdm"));
        assert_eq!(mdm.organization.as_deref(), Some("Example"));
        assert_eq!(mdm.installed_at.unwrap().timestamp(), 1_680_225_278);
        assert_eq!(mdm.server_url.as_deref(), Some("https://mdm.example.com/connect"));
        assert_eq!(mdm.topic.as_deref(), Some("com.apple.mgmt.External.1"));
        assert_eq!((mdm.access_rights, mdm.sign_message), (Some(8191), Some(true)));
        assert_eq!(mdm.server_capabilities, ["com.apple.mdm.bootstraptoken"]);
        let identity = mdm.identity.unwrap();
        assert_eq!(
            (identity.payload_type.as_str(), identity.name.as_deref()),
            ("com.apple.security.scep", Some("Example CA"))
        );
    }

    #[test]
    fn only_profiles_of_the_device_count() {
        let nothing = ProfilesList::default();
        assert_eq!(
            read(&[group("User Configuration Profiles", &[enrolling("com.apple.mdm")])]),
            Fact::Known(nothing.clone())
        );
        assert_eq!(read(&[]), Fact::Known(nothing.clone()));
        let device = read(&[group("Device Configuration Profiles", &[enrolling("com.apple.other")])]);
        let Fact::Known(list) = device else { panic!("{device:?}") };
        assert_eq!((list.lists_computer, list.count, list.mdm), (true, Some(1), None));
        let two = read(&[enrolling("com.apple.mdm"), enrolling("com.apple.mdm")]);
        assert!(matches!(two, Fact::Unknown { why, .. } if why.contains("more than one profile")));
    }

    #[test]
    fn a_date_in_words_alone_is_unknown() {
        let Value::Dictionary(mut item) = enrolling("com.apple.mdm") else { panic!("no dictionary") };
        item.insert("spconfigprofile_install_date".to_owned(), words("31 March 2023 at 03:14"));
        let Fact::Known(list) = read(&[Value::Dictionary(item)]) else { panic!("unknown") };
        assert_eq!(list.mdm.unwrap().installed_at, None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), text in "[{}();=a-z<>/ \"_]{0,60}") {
            let _ = (read_profiles(&bytes), read_profiles(text.as_bytes()));
        }
    }
}
