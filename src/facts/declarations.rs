//! The declarations of declarative management that remotemanagementd holds, as a sysdiagnose dumps them. No command or
//! file is known that tells them on a live Mac.

use super::Source;
use crate::host::Host;
use crate::property_list::{dictionary, flag, get, list, moment, number, old_style, text};
use crate::vocabulary::codes::{ChannelKind, SourceName, SourceReason};
use crate::vocabulary::{Fact, Flaw, Limits, Reading, Time};
use plist::{Dictionary, Value};
use std::collections::BTreeMap;

/// The dumps of the device channel and of a user's, by their paths in a sysdiagnose.
const DEVICE: &str = "logs/rmd/rmd_inspect_system.txt";
const USER: &str = "logs/rmd/rmd_inspect_user.txt";

/// How many declarations are kept. A Mac has dozens.
const MOST: usize = 10_000;

const NO_KNOWN_COMMAND: &str =
    "No command or file is known that lists a Mac's declarations; a sysdiagnose has the list.";

/// The lists of a source of management, and those of what the Mac reports of them. Where they are named only there, the
/// Mac has reported them and does not hold them any more, or holds them elsewhere.
const LISTS: [&str; 4] = ["activations", "configurations", "assets", "management"];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declarations(pub Vec<Declaration>);

/// What remotemanagementd holds of a declaration. What the dump does not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    pub channel: ChannelKind,
    pub identifier: String,
    /// `declarationType`, such as `com.apple.configuration.passcode.settings`.
    pub kind: Option<String>,
    pub active: Option<bool>,
    /// `valid`, `invalid` or `unknown`, as the Mac reports it.
    pub valid: Option<String>,
    /// Why it is inactive or invalid: Apple's codes.
    pub reasons: Vec<String>,
    /// `loadState`
    pub load_state: Option<String>,
    pub server_token: Option<String>,
    /// When the server last said which declarations there are.
    pub server_tokens_at: Option<Time>,
    /// How often in a row fetching them has failed.
    pub consecutive_errors: Option<u64>,
}

impl Source for Declarations {
    const NAME: SourceName = SourceName::Declarations;
    const LIMITS: Limits = Limits::FILE;

    fn read(host: &dyn Host) -> Reading<Self> {
        let Some(device) = host.sysdiagnose_file(DEVICE) else {
            return Fact::unknown(SourceReason::NoKnownCommand, NO_KNOWN_COMMAND).into();
        };
        let dump = |file: &[u8], name, channel| read_dump(&String::from_utf8_lossy(file), name, channel);
        let mut all = match device.map_or_else(Fact::from, |file| dump(&file, DEVICE, ChannelKind::Device)) {
            Fact::Known(all) => all,
            Fact::Unknown { reason, why } => return Fact::unknown(reason, why).into(),
        };
        // A Mac on which nobody is logged in has none of a user.
        let user = host.sysdiagnose_file(USER).and_then(Result::ok);
        let mut flaw = None;
        match user.map(|file| dump(&file, USER, ChannelKind::User)) {
            Some(Fact::Known(of_user)) => all.extend(of_user),
            Some(Fact::Unknown { reason, why }) => flaw = Some(Flaw { reason, why }),
            None => {}
        }
        if all.len() > MOST {
            let why = format!("The dumps have {} declarations; the first {MOST} are shown.", all.len());
            flaw.get_or_insert(Flaw { reason: SourceReason::TooMuchOutput, why });
            all.truncate(MOST);
        }
        Reading { flaw, ..Fact::Known(Self(all)).into() }
    }
}

/// Reads a dump, an old-style property list:
///
/// ```text
/// Detail.Report."Management Sources"[] {
///     activations[] { identifier, declarationType, serverToken, loadState, state { active, inactiveReasons[] { code } } }
///     configurations[] { identifier, declarationType, serverToken, loadState, active }
///     conduitConfig.state { lastReceivedServerTokensFromServerTimestamp, numberOfConsecutiveErrors }
/// }
/// Detail.Status[0].Status.management.declarations.{activations, configurations, assets, management}[]
///     { identifier, active, valid, "server-token", reasons[] { code } }
/// ```
fn read_dump(dump: &str, name: &str, channel: ChannelKind) -> Fact<Vec<Declaration>> {
    let not_understood = |what: &str| Fact::unknown(SourceReason::NotUnderstood, format!("{name} {what}."));
    let root = match old_style::dictionary_at_start(dump.trim_start()) {
        Ok(root) => root,
        Err(error) => return not_understood(&format!("cannot be read: {error}")),
    };
    let detail = dictionary(&root, "Detail");
    let report = detail.and_then(|detail| dictionary(detail, "Report"));
    let Some(sources) = report.and_then(|report| list(report, "Management Sources")) else {
        return not_understood("has no list of management sources");
    };
    let reported = detail.map(reported).unwrap_or_default();
    let mut seen = Vec::new();
    let mut declarations = Vec::new();
    for source in sources.iter().filter_map(Value::as_dictionary) {
        let state = dictionary(source, "conduitConfig").and_then(|conduit| dictionary(conduit, "state"));
        let tokens_at = state.and_then(|state| get(state, "lastReceivedServerTokensFromServerTimestamp", moment));
        let errors = state.and_then(|state| get(state, "numberOfConsecutiveErrors", number));
        for held in LISTS.iter().flat_map(|key| entries(source, key)) {
            let Some(identifier) = get(held, "identifier", text) else { continue };
            let reported = reported.get(&identifier).copied();
            declarations.push(Declaration {
                server_tokens_at: tokens_at,
                consecutive_errors: errors.and_then(|errors| u64::try_from(errors).ok()),
                ..declaration(identifier.clone(), Some(held), reported, channel)
            });
            seen.push(identifier);
        }
    }
    for (identifier, status) in reported {
        if !seen.contains(&identifier) {
            declarations.push(declaration(identifier, None, Some(status), channel));
        }
    }
    Fact::Known(declarations)
}

/// What the Mac reports of each declaration, by its identifier.
fn reported(detail: &Dictionary) -> BTreeMap<String, &Dictionary> {
    let status = list(detail, "Status").and_then(|all| all.first()?.as_dictionary());
    let declarations = (|| dictionary(dictionary(dictionary(status?, "Status")?, "management")?, "declarations"))();
    let all = declarations.into_iter().flat_map(|of| LISTS.iter().flat_map(|key| entries(of, key)));
    all.filter_map(|entry| Some((get(entry, "identifier", text)?, entry))).collect()
}

fn entries<'d>(of: &'d Dictionary, key: &str) -> impl Iterator<Item = &'d Dictionary> + use<'d> {
    list(of, key).unwrap_or_default().iter().filter_map(Value::as_dictionary)
}

fn declaration(
    identifier: String,
    held: Option<&Dictionary>,
    reported: Option<&Dictionary>,
    channel: ChannelKind,
) -> Declaration {
    let state = held.and_then(|held| dictionary(held, "state"));
    let active = |of: Option<&Dictionary>| of.and_then(|of| get(of, "active", flag));
    let mut reasons = state.map(|state| codes(state, "inactiveReasons")).unwrap_or_default();
    for code in reported.map(|reported| codes(reported, "reasons")).unwrap_or_default() {
        if !reasons.contains(&code) {
            reasons.push(code);
        }
    }
    Declaration {
        channel,
        identifier,
        kind: held.and_then(|held| get(held, "declarationType", text)),
        active: active(state).or(active(held)).or(active(reported)),
        valid: reported.and_then(|reported| get(reported, "valid", text)),
        reasons,
        load_state: held.and_then(|held| get(held, "loadState", text)),
        server_token: (held.and_then(|held| get(held, "serverToken", text)))
            .or_else(|| reported.and_then(|reported| get(reported, "server-token", text))),
        server_tokens_at: None,
        consecutive_errors: None,
    }
}

fn codes(of: &Dictionary, key: &str) -> Vec<String> {
    entries(of, key).filter_map(|reason| get(reason, "code", text)).collect()
}
