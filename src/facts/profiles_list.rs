//! The profile that enrolled the Mac, as `profiles -C -o stdout-xml` lists it with its payloads.

use super::{Source, from_command, system_profiler};
use crate::host::{Command, Host};
use crate::property_list::xml;
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Limits, Reading, Time};
use chrono::DateTime;
use plist::Value;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// What the list says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfilesList {
    /// Whether profiles of the computer are listed at all; without them the list says nothing of an enrollment.
    pub lists_computer: bool,
    /// How many profiles of the computer there are; `None` if they are not listed.
    pub count: Option<u32>,
    /// Tells the set of them from another one.
    pub digest: i64,
    /// When the newest of them was installed.
    pub newest_at: Option<Time>,
    /// The profile with the `com.apple.mdm` payload.
    pub mdm: Option<MdmProfile>,
}

/// The profile with the `com.apple.mdm` payload, and what that payload says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MdmProfile {
    /// The profile's ProfileIdentifier.
    pub identifier: Option<String>,
    /// The profile's ProfileUUID.
    pub uuid: Option<String>,
    /// The profile's ProfileOrganization.
    pub organization: Option<String>,
    /// The profile's ProfileInstallDate.
    pub installed_at: Option<Time>,
    /// The address to which the Mac answers.
    pub server_url: Option<String>,
    /// The address to which the Mac checks in, where it is another one.
    pub checkin_url: Option<String>,
    /// The topic of the server's push notifications.
    pub topic: Option<String>,
    /// What the server may do, as a sum of Apple's bits.
    pub access_rights: Option<i64>,
    /// Whether the Mac signs its messages.
    pub sign_message: Option<bool>,
    /// What the server says it can do.
    pub server_capabilities: Vec<String>,
    /// The PayloadUUID of the payload with the identity.
    pub identity_certificate_uuid: Option<String>,
    /// That payload, if it is in the same profile.
    pub identity: Option<IdentityPayload>,
}

/// The payload that gave the Mac its identity: `com.apple.security.scep`, `.acme` or `.pkcs12`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityPayload {
    pub payload_type: String,
    /// The subject that it asks for, as pairs of a type (`CN`, `O`, or an OID in dots) and a value.
    pub subject: Vec<(String, String)>,
    /// SCEP's Name of the authority, or ACME's ClientIdentifier.
    pub name: Option<String>,
    /// ACME: whether the Secure Enclave holds the private key. The System keychain then does not show the identity.
    pub hardware_bound: Option<bool>,
}

/// What stands in place of a list without profiles (10.15 to 26).
const NO_PROFILES: &str = "There are no configuration profiles installed";

const ACME: &str = "com.apple.security.acme";

impl IdentityPayload {
    /// Whether it is of a type of which it is known where the identity lies.
    pub fn is_of_known_type(&self) -> bool {
        ["com.apple.security.scep", "com.apple.security.pkcs12", ACME].contains(&self.payload_type.as_str())
    }

    /// Whether the identity lies outside of the System keychain, as far as is known. ACME payloads must say which.
    pub fn lies_elsewhere(&self) -> bool {
        self.payload_type == ACME && self.hardware_bound != Some(false)
    }
}

/// The output, as far as it is read; everything else in it is passed over.
#[derive(Deserialize)]
struct Listing {
    #[serde(rename = "_computerlevel")]
    computer: Option<Vec<Profile>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Profile {
    pub profile_identifier: Option<Value>,
    #[serde(rename = "ProfileUUID")]
    pub profile_uuid: Option<Value>,
    pub profile_organization: Option<Value>,
    pub profile_install_date: Option<Value>,
    #[serde(default)]
    pub profile_items: Vec<Payload>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Payload {
    pub payload_type: Option<Value>,
    #[serde(rename = "PayloadUUID")]
    pub payload_uuid: Option<Value>,
    pub payload_content: Option<Value>,
}

impl Source for ProfilesList {
    const NAME: SourceName = SourceName::ProfilesList;
    const LIMITS: Limits = Limits::HOURLY;

    fn read(host: &dyn Host) -> Reading<Self> {
        if let Some(file) = host.sysdiagnose_file(system_profiler::PROFILES) {
            return file.map_or_else(Fact::from, |file| system_profiler::read_profiles(&file)).into();
        }
        from_command(host, Command::ProfilesList, read_profiles_list).into()
    }
}

/// Reads the output, on macOS 13 a dictionary of this form:
///
/// ```text
/// _computerlevel[] { ProfileIdentifier, ProfileUUID, ProfileOrganization, ProfileInstallDate "2023-03-31 01:14:38 +0000",
///                    ProfileItems[] { PayloadType "com.apple.mdm", PayloadUUID, PayloadContent { ServerURL, … } } }
/// ```
///
/// Without profiles it is an empty dictionary, or a sentence in place of the list.
pub fn read_profiles_list(output: &str) -> Fact<ProfilesList> {
    if output.trim().starts_with(NO_PROFILES) && output.trim().lines().count() == 1 {
        return Fact::Known(ProfilesList { count: Some(0), ..ProfilesList::default() });
    }
    let listing: Listing = match xml::read(output) {
        Ok(listing) => listing,
        Err(error) => return not_understood(&format!("cannot be read: {error}")),
    };
    // An empty dictionary is how a Mac without profiles answers.
    of_profiles(listing.computer.as_deref())
        .map(|list| ProfilesList { count: list.count.or(Some(0)), ..list })
        .map_or_else(|| not_understood(&format!("has {MORE_THAN_ONE}")), Fact::Known)
}

/// Why a list says nothing of the enrollment.
pub(super) const MORE_THAN_ONE: &str =
    "more than one profile with a com.apple.mdm payload: which one counts is unknown";

/// What profiles of the computer say; `None` if two of them enroll it.
pub(super) fn of_profiles(computer: Option<&[Profile]>) -> Option<ProfilesList> {
    let mut profiles = (computer.iter().copied().flatten()).filter_map(|profile| {
        let is_mdm = |payload: &&Payload| text(&payload.payload_type).as_deref() == Some("com.apple.mdm");
        Some((profile, profile.profile_items.iter().find(is_mdm)?))
    });
    let mdm = profiles.next().map(|(profile, payload)| mdm_profile(profile, payload));
    let count = computer.and_then(|all| u32::try_from(all.len()).ok());
    let installed = |profile: &Profile| profile.profile_install_date.as_ref().and_then(as_time);
    let newest_at = computer.iter().copied().flatten().filter_map(installed).max();
    let digest = digest(computer.unwrap_or_default());
    let lists_computer = computer.is_some();
    profiles.next().is_none().then_some(ProfilesList { lists_computer, count, digest, newest_at, mdm })
}

/// A number that tells a set of profiles from another one, in whatever order they are listed; 0 if there are none.
fn digest(profiles: &[Profile]) -> i64 {
    let name = |profile: &Profile| (text(&profile.profile_identifier), text(&profile.profile_uuid));
    let mut names: Vec<_> = profiles.iter().map(name).collect();
    if names.is_empty() {
        return 0;
    }
    names.sort();
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(Sha256::digest(format!("{names:?}"))).for_each(|(to, from)| *to = from);
    i64::from_le_bytes(bytes)
}

fn not_understood(what: &str) -> Fact<ProfilesList> {
    Fact::unknown(SourceReason::NotUnderstood, format!("The output of `profiles -C -o stdout-xml` {what}."))
}

fn mdm_profile(profile: &Profile, payload: &Payload) -> MdmProfile {
    let content = payload.payload_content.as_ref().and_then(Value::as_dictionary);
    let content = |key: &str| content.and_then(|content| content.get(key));
    let said = |key: &str| content(key).and_then(as_text);
    let identity_certificate_uuid = said("IdentityCertificateUUID");
    let is_identity = |payload: &&Payload| {
        let uuid = text(&payload.payload_uuid);
        uuid.zip(identity_certificate_uuid.as_ref()).is_some_and(|(uuid, wanted)| uuid.eq_ignore_ascii_case(wanted))
    };
    MdmProfile {
        identifier: text(&profile.profile_identifier),
        uuid: text(&profile.profile_uuid),
        organization: text(&profile.profile_organization),
        installed_at: profile.profile_install_date.as_ref().and_then(as_time),
        server_url: said("ServerURL"),
        checkin_url: said("CheckInURL"),
        topic: said("Topic"),
        access_rights: content("AccessRights").and_then(as_number),
        sign_message: content("SignMessage").and_then(as_flag),
        server_capabilities: (content("ServerCapabilities").and_then(Value::as_array).into_iter().flatten())
            .filter_map(as_text)
            .collect(),
        identity: profile.profile_items.iter().find(is_identity).map(identity_payload),
        identity_certificate_uuid,
    }
}

/// In a profile, SCEP's keys lie in a PayloadContent of their own; no output is known that shows whether the list keeps
/// that one, so they are looked for within it and beside it.
fn identity_payload(payload: &Payload) -> IdentityPayload {
    let outer = payload.payload_content.as_ref().and_then(Value::as_dictionary);
    let inner = outer.and_then(|outer| outer.get("PayloadContent")).and_then(Value::as_dictionary);
    let content = |key: &str| inner.or(outer).and_then(|content| content.get(key));
    IdentityPayload {
        payload_type: text(&payload.payload_type).unwrap_or_default(),
        subject: content("Subject").map(subject).unwrap_or_default(),
        name: content("Name").or_else(|| content("ClientIdentifier")).and_then(as_text),
        hardware_bound: content("HardwareBound").and_then(as_flag),
    }
}

/// Apple's form of a subject: `[ [ ["C", "US"] ], [ ["O", "Example"] ], [ ["CN", "foo"], ["1.2.5.3", "bar"] ] ]`.
fn subject(names: &Value) -> Vec<(String, String)> {
    let names = names.as_array().into_iter().flatten();
    let attributes = names.filter_map(Value::as_array).flatten().filter_map(Value::as_array);
    let pairs = attributes.map(|pair| match pair.as_slice() {
        [kind, value] => Some((as_text(kind)?, as_text(value)?)),
        _ => None,
    });
    // A subject that is understood only in part would match too much.
    pairs.collect::<Option<_>>().unwrap_or_default()
}

fn text(value: &Option<Value>) -> Option<String> {
    value.as_ref().and_then(as_text)
}

fn as_text(value: &Value) -> Option<String> {
    value.as_string().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn as_number(value: &Value) -> Option<i64> {
    value.as_signed_integer().or_else(|| value.as_string()?.parse().ok())
}

/// A boolean, which this list also prints as the text `true` or as a number.
fn as_flag(value: &Value) -> Option<bool> {
    match (value, as_number(value)) {
        (Value::Boolean(flag), _) => Some(*flag),
        (_, Some(0)) => Some(false),
        (_, Some(1)) => Some(true),
        (Value::String(text), _) => text.parse().ok(),
        _ => None,
    }
}

fn as_time(value: &Value) -> Option<Time> {
    match value {
        Value::Date(date) => Some(std::time::SystemTime::from(*date).into()),
        _ => Some(DateTime::parse_from_str(value.as_string()?, "%Y-%m-%d %H:%M:%S %z").ok()?.to_utc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ENROLLED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>_computerlevel</key>
  <array>
    <dict>
      <key>ProfileIdentifier</key><string>com.example.firewall</string>
      <key>ProfileItems</key>
      <array><dict><key>PayloadType</key><string>com.apple.security.firewall</string></dict></array>
    </dict>
    <dict>
      <key>ProfileIdentifier</key><string>com.example.mdm</string>
      <key>ProfileInstallDate</key><string>2023-03-31 01:14:38 +0000</string>
      <key>ProfileOrganization</key><string>Example</string>
      <key>ProfileUUID</key><string>597B4018-0000-4000-8000-000000000001</string>
      <key>SomethingNew</key><dict><key>a</key><date>2026-01-01T00:00:00Z</date><key>b</key><data>AAEC</data></dict>
      <key>ProfileItems</key>
      <array>
        <dict>
          <key>PayloadContent</key>
          <dict>
            <key>HardwareBound</key><false/>
            <key>Name</key><string>Example CA</string>
            <key>Subject</key>
            <array>
              <array><array><string>O</string><string>Example</string></array></array>
              <array><array><string>CN</string><string>Mac 42</string></array></array>
            </array>
          </dict>
          <key>PayloadType</key><string>com.apple.security.scep</string>
          <key>PayloadUUID</key><string>6EE63BCC-0000-4000-8000-000000000002</string>
        </dict>
        <dict>
          <key>PayloadContent</key>
          <dict>
            <key>AccessRights</key><integer>8191</integer>
            <key>CheckInURL</key><string>https://mdm.example.com/checkin</string>
            <key>IdentityCertificateUUID</key><string>6ee63bcc-0000-4000-8000-000000000002</string>
            <key>ServerCapabilities</key>
            <array><string>com.apple.mdm.per-user-connections</string><string>com.apple.mdm.bootstraptoken</string></array>
            <key>ServerURL</key><string>https://mdm.example.com/connect</string>
            <key>SignMessage</key><true/>
            <key>Topic</key><string>com.apple.mgmt.External.1</string>
          </dict>
          <key>PayloadType</key><string>com.apple.mdm</string>
        </dict>
      </array>
    </dict>
  </array>
</dict>
</plist>"#;

    fn known(output: &str) -> ProfilesList {
        match read_profiles_list(output) {
            Fact::Known(list) => list,
            Fact::Unknown { why, .. } => panic!("{why}"),
        }
    }

    fn why(output: &str) -> String {
        match read_profiles_list(output) {
            Fact::Known(list) => panic!("{list:?}"),
            Fact::Unknown { reason, why } => {
                assert_eq!(reason, SourceReason::NotUnderstood);
                why
            }
        }
    }

    #[test]
    fn the_mdm_profile_and_its_identity_payload() {
        let text = |text: &str| Some(text.to_owned());
        let pair = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
        assert_eq!(
            known(ENROLLED).mdm.unwrap(),
            MdmProfile {
                identifier: text("com.example.mdm"),
                uuid: text("597B4018-0000-4000-8000-000000000001"),
                organization: text("Example"),
                installed_at: DateTime::from_timestamp(1680225278, 0),
                server_url: text("https://mdm.example.com/connect"),
                checkin_url: text("https://mdm.example.com/checkin"),
                topic: text("com.apple.mgmt.External.1"),
                access_rights: Some(8191),
                sign_message: Some(true),
                server_capabilities: vec![
                    "com.apple.mdm.per-user-connections".to_owned(),
                    "com.apple.mdm.bootstraptoken".to_owned()
                ],
                identity_certificate_uuid: text("6ee63bcc-0000-4000-8000-000000000002"),
                identity: Some(IdentityPayload {
                    payload_type: "com.apple.security.scep".to_owned(),
                    subject: vec![pair("O", "Example"), pair("CN", "Mac 42")],
                    name: text("Example CA"),
                    hardware_bound: Some(false),
                }),
            }
        );
    }

    #[test]
    fn profiles_of_the_computer_without_an_mdm_payload() {
        let list = known(&ENROLLED.replace("com.apple.mdm<", "com.apple.other<"));
        assert_eq!((list.lists_computer, list.count, &list.mdm), (true, Some(2), &None));
    }

    #[test]
    fn a_list_without_the_computer_says_nothing_of_it() {
        let list = known(&ENROLLED.replace("_computerlevel", "someone"));
        assert_eq!((list.lists_computer, &list.mdm), (false, &None));
    }

    #[test]
    fn an_acme_identity_lies_elsewhere_unless_it_says_that_it_is_not_bound_to_the_hardware() {
        let identity = |output: &str| known(output).mdm.unwrap().identity.unwrap();
        let acme = ENROLLED.replace("com.apple.security.scep", "com.apple.security.acme");
        assert!(!identity(ENROLLED).lies_elsewhere());
        assert!(!identity(&acme).lies_elsewhere());
        assert!(identity(&acme.replace("<false/>", "<true/>")).lies_elsewhere());
        assert!(identity(&acme.replace("HardwareBound", "Other")).lies_elsewhere());
    }

    #[test]
    fn two_mdm_profiles_are_not_understood() {
        let output = ENROLLED.replace("com.apple.security.firewall", "com.apple.mdm");
        assert!(why(&output).contains("more than one profile"));
    }

    #[test]
    fn what_is_cut_off_or_no_list_is_a_sentence() {
        let begins = "The output of `profiles -C -o stdout-xml` cannot be read: ";
        let cut = ENROLLED.get(..ENROLLED.len() / 2).unwrap();
        for output in ["", "profiles: this command requires root privileges\n", cut, "<plist><array/></plist>"] {
            assert!(why(output).starts_with(begins), "{output}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_a_cut_list_is_never_one(text in "\\PC{0,80}", cut in any::<prop::sample::Index>()) {
            let _ = read_profiles_list(&text);
            let end = ENROLLED.trim_end_matches("\n</plist>").len();
            let cut = ENROLLED.get(..cut.index(end)).unwrap();
            prop_assert!(read_profiles_list(cut).known().is_none());
        }
    }
}
