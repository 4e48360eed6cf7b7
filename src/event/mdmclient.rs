//! What mdmclient says. The text has been the same since macOS 12.3; each pattern quotes the line it was made from.

use super::{
    Channel, Event, EventKind, HttpMessage, IdentityTrouble, bounded, client_event, command_error, in_unified_log,
    os_update_item,
};
use super::{Image, Program, Users, Wanted};
use crate::log::LogRecord;

pub const NAME: &str = "mdmclient";

/// One daemon runs as root and serves the device channel; an agent for each user runs as that user.
pub static PROGRAM: Program = Program {
    name: NAME,
    image: Image::At("/usr/libexec/mdmclient"),
    users: Users::All,
    wanted: Wanted::ALL,
    recognise,
};

fn recognise(record: &LogRecord<'_>) -> Option<Event> {
    if super::is_private(record) {
        let event = || Event { channel: Some(Channel::Device), ..Event::new(record, EventKind::Private) };
        return super::is_of_the_mdm_daemon(record).then(event);
    }
    let (prefix, said) = Prefix::split(&record.message);
    let (kind, target) = if prefix.os_update {
        (os_update_item::recognise(said).map(|said| in_unified_log(said, NAME))?, None)
    } else {
        // In the text styles, a line of another program may be appended to the first one.
        what(said).or_else(|| what(said.split_once('\n')?.0))?
    };
    let channel = match record.uid {
        // What root's daemon says is about the Mac unless it says otherwise.
        Some(0) => Some(target.or(prefix.channel).unwrap_or(Channel::Device)),
        // A user's process speaks only for that user, whatever channel its text claims.
        Some(uid) => Some(Channel::User(uid)),
        None => target.or(prefix.channel),
    };
    // A user's agent may lack an identity, but that is not the Mac's; and no user decides about the Mac's updates.
    let about_the_mac = matches!(kind, EventKind::IdentityTrouble(_) | EventKind::Update(_));
    if about_the_mac && !Channel::is_device(channel) {
        return None;
    }
    let thread = if record.thread == 0 { prefix.thread.unwrap_or(0) } else { record.thread };
    Some(Event { thread, channel, ..Event::new(record, kind) })
}

/// The tags before a message: `[0:MDMDaemon:HTTPUtil:<0x6c0d>] ` (12.3), `[*] [0:MDMDaemon:<0x4d0d>] ` (15),
/// `[ERROR] [506:MDMAgent:<0x191a53>] `, `[501:MDMAgent] ` (12). The first number is the uid that is served.
#[derive(Debug, Default, PartialEq, Eq)]
struct Prefix {
    channel: Option<Channel>,
    thread: Option<u64>,
    /// The module `OSUpdate`: `[0:MDMDaemon:OSUpdate:<0xbc25>] ` (13.4).
    os_update: bool,
}

impl Prefix {
    /// Takes the tags off. A message is only ever looked for behind them, never within another message's text.
    fn split(message: &str) -> (Self, &str) {
        let mut prefix = Self::default();
        let mut rest = message.trim_start();
        while let Some((tag, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            // Most of mdmclient's lines carry these tags, and bytes are split faster than letters.
            let mut parts = tag.as_bytes().split(|byte| *byte == b':');
            match parts.next().and_then(|uid| std::str::from_utf8(uid).ok()).map(str::parse::<u32>) {
                Some(Ok(uid)) => {
                    prefix.channel = Some(if uid == 0 { Channel::Device } else { Channel::User(uid) });
                    prefix.thread = parts.next_back().and_then(|last| {
                        let digits = std::str::from_utf8(last.strip_prefix(b"<0x")?.strip_suffix(b">")?);
                        u64::from_str_radix(digits.ok()?, 16).ok()
                    });
                    prefix.os_update = parts.any(|part| part == b"OSUpdate");
                }
                _ if tag == "*" || tag == "ERROR" => {}
                _ => break,
            }
            rest = behind.trim_start();
        }
        (prefix, rest)
    }
}

/// The event, and the channel if the message names one.
fn what(said: &str) -> Option<(EventKind, Option<Channel>)> {
    if let Some(rest) = said.strip_prefix("Processing server request: ") {
        return command_received(rest);
    }
    if let Some(rest) = said.strip_prefix("Responding 'NotNow' to server request: ") {
        return not_now(rest);
    }
    let what = connect(said)
        .or_else(|| request_sent(said))
        .or_else(|| response_received(said))
        .or_else(|| command_error::recognise(said))
        .or_else(|| identity_trouble(said))
        .or_else(|| client_event::of_mdmclient(said).map(|event| EventKind::Client(Box::new(event))))?;
    Some((what, None))
}

/// `Calling MDM_Connect (At login: no) <PushNotification> for: https://mdm.example.com/mdm` and
/// `No commands from server: https://mdm.example.com/mdm` (from a capture of macOS 15 to 27; no version is stated).
fn connect(said: &str) -> Option<EventKind> {
    if said.starts_with("No commands from server: ") {
        return Some(EventKind::NoCommands);
    }
    let (_at_login, rest) = said.strip_prefix("Calling MDM_Connect (")?.split_once(") <")?;
    let (cause, _url) = rest.split_once("> for: ")?;
    Some(EventKind::Connect { cause: bounded(cause) })
}

/// `>>>>> Sending HTTP request (PUT) [Acknowledged(ScheduleOSUpdateScan):6c7d9d3d-…] >>>>>` (13.0); a report from
/// macOS 26 leaves the arrows out.
fn request_sent(said: &str) -> Option<EventKind> {
    let said = said.strip_prefix(">>>>> ").unwrap_or(said);
    let (method, rest) = said.strip_prefix("Sending HTTP request (").and_then(closed)?;
    let message = bracket(rest.strip_suffix(" >>>>>").unwrap_or(rest))?;
    Some(EventKind::RequestSent { method: bounded(method), message })
}

/// `<<<<< Received HTTP response (200) [Idle] <<<<<` (12.3).
fn response_received(said: &str) -> Option<EventKind> {
    let said = said.strip_prefix("<<<<< ").unwrap_or(said);
    let (status, rest) = said.strip_prefix("Received HTTP response (").and_then(closed)?;
    let message = bracket(rest.strip_suffix(" <<<<<").unwrap_or(rest))?;
    Some(EventKind::ResponseReceived { status: status.parse().ok()?, message })
}

/// Splits `PUT) [Idle]` into what stands before the end of the bracket and what follows. This search is used because
/// setting up the one in std takes longer than this search itself.
fn closed(text: &str) -> Option<(&str, &str)> {
    let end = memchr::memmem::find(text.as_bytes(), b") ")?;
    Some((text.get(..end)?, text.get(end + 2..)?))
}

/// `[Idle]`, `[Acknowledged(ScheduleOSUpdate):f1fd75b5-…]` (13.0), `[NotNow(ProfileList):13277315]`,
/// `[MDM_GetBootstrapToken]` (13.0).
fn bracket(text: &str) -> Option<HttpMessage> {
    let inside = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    if inside == "Idle" {
        return Some(HttpMessage::Idle);
    }
    if let Some(check_in) = inside.strip_prefix("MDM_") {
        return Some(HttpMessage::CheckIn(bounded(check_in)));
    }
    let answer = || {
        let (status, rest) = inside.split_once('(')?;
        let (request_type, rest) = rest.split_once(')')?;
        let token = match rest.strip_prefix(':') {
            Some(token) => Some(bounded(token)).filter(|token| !token.is_empty()),
            None if rest.is_empty() => None,
            None => return None,
        };
        Some(HttpMessage::Answer { status: bounded(status), request_type: bounded(request_type), token })
    };
    Some(answer().unwrap_or_else(|| HttpMessage::Other(bounded(inside))))
}

/// `SecurityInfo for: <Device> (7a00a5a1-84de-…) PowerNap: no` (26); the older shape has two blanks and no token:
/// `InstallApplication  for: <Device>`.
fn command_received(rest: &str) -> Option<(EventKind, Option<Channel>)> {
    let (request_type, rest) = rest.split_once(" for: ")?;
    let (channel, rest) = target(rest);
    let (rest, power_nap) = match rest.rsplit_once("PowerNap: ") {
        Some((before, answer)) if answer.trim() == "yes" => (before, Some(true)),
        Some((before, answer)) if answer.trim() == "no" => (before, Some(false)),
        _ => (rest, None),
    };
    let token = rest.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).map(bounded);
    Some((EventKind::CommandReceived { request_type: bounded(request_type.trim()), token, power_nap }, channel))
}

/// `ProfileList for: <Device> reason: Not supported during DarkWake`.
fn not_now(rest: &str) -> Option<(EventKind, Option<Channel>)> {
    let (request_type, rest) = rest.split_once(" for: ")?;
    let (channel, rest) = target(rest);
    let reason = rest.trim().strip_prefix("reason: ").unwrap_or_default();
    Some((EventKind::NotNow { request_type: bounded(request_type.trim()), reason: bounded(reason) }, channel))
}

/// `<Device>` or `<User: 501>`, and the rest behind it.
fn target(text: &str) -> (Option<Channel>, &str) {
    let Some((target, rest)) = text.trim_start().strip_prefix('<').and_then(|text| text.split_once('>')) else {
        return (None, text);
    };
    let channel = match target {
        "Device" => Some(Channel::Device),
        _ => target.strip_prefix("User: ").and_then(|uid| uid.trim().parse().ok()).map(Channel::User),
    };
    (channel, rest)
}

/// Only these fragments are known, from administrators' scripts: "Unable to create MDM identity" and "The specified
/// item is no longer valid. It may have been deleted from the keychain." They are searched for anywhere in a message,
/// except where mdmclient quotes commands and profiles: others wrote those texts, and a command that fails with the
/// same words says nothing about the MDM's identity.
fn identity_trouble(said: &str) -> Option<EventKind> {
    const QUOTES: [&str; 4] = [
        "[ErrorChain.",
        "Error in pending response",
        "Installed configuration profile:",
        "Removed configuration profile:",
    ];
    if QUOTES.iter().any(|quote| said.starts_with(quote)) {
        return None;
    }
    let trouble = if said.contains("Unable to create MDM identity") {
        IdentityTrouble::NotCreated
    } else if said.contains("The specified item is no longer valid. It may have been deleted from the keychain.") {
        IdentityTrouble::ItemInvalid
    } else {
        return None;
    };
    Some(EventKind::IdentityTrouble(trouble))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogSender;
    use std::borrow::Cow;

    fn event(message: &str) -> Option<Event> {
        recognise(&LogRecord {
            at: chrono::DateTime::UNIX_EPOCH,
            sender: LogSender::Image("/usr/libexec/mdmclient".into()),
            uid: None,
            level: None,
            pid: 300,
            thread: 0,
            subsystem: Cow::Borrowed("com.apple.ManagedClient"),
            category: Cow::Borrowed("HTTPUtil"),
            message: Cow::Borrowed(message),
            boot: Cow::Borrowed(""),
            mach_time: 0,
        })
    }

    fn what(message: &str) -> EventKind {
        event(message).unwrap_or_else(|| panic!("not recognised: {message}")).kind
    }

    fn answer(status: &str, request_type: &str, token: Option<&str>) -> HttpMessage {
        HttpMessage::Answer { status: status.into(), request_type: request_type.into(), token: token.map(Into::into) }
    }

    #[test]
    fn every_shape_of_bracket_is_told_apart() {
        for (bracket, expected) in [
            ("Idle", HttpMessage::Idle),
            ("Acknowledged(SecurityInfo):7a00a5a1-84de", answer("Acknowledged", "SecurityInfo", Some("7a00a5a1-84de"))),
            ("NotNow(ProfileList):13277315", answer("NotNow", "ProfileList", Some("13277315"))),
            ("Error(InstallProfile):0001_a:b(c)", answer("Error", "InstallProfile", Some("0001_a:b(c)"))),
            ("Acknowledged(ProfileList)", answer("Acknowledged", "ProfileList", None)),
            ("MDM_GetBootstrapToken", HttpMessage::CheckIn("GetBootstrapToken".into())),
            ("Something else", HttpMessage::Other("Something else".into())),
        ] {
            let sent = format!("[0:MDMDaemon:HTTPUtil:<0x6c0d>] >>>>> Sending HTTP request (PUT) [{bracket}] >>>>>");
            assert_eq!(what(&sent), EventKind::RequestSent { method: "PUT".into(), message: expected.clone() });
            let received =
                format!("[0:MDMDaemon:HTTPUtil:<0x6c0d>] <<<<< Received HTTP response (401) [{bracket}] <<<<<");
            assert_eq!(what(&received), EventKind::ResponseReceived { status: 401, message: expected });
        }
    }

    #[test]
    fn a_receipt_is_read_in_its_old_and_new_shapes_and_on_both_channels() {
        let received = |request_type: &str, token: Option<&str>, power_nap| EventKind::CommandReceived {
            request_type: request_type.into(),
            token: token.map(Into::into),
            power_nap,
        };
        for (line, channel, expected) in [
            (
                "[*] [0:MDMDaemon:<0x4d0d>] Processing server request: DeclarativeManagement for: <Device> (3fb48527-9aaa) PowerNap: no",
                Channel::Device,
                received("DeclarativeManagement", Some("3fb48527-9aaa"), Some(false)),
            ),
            (
                "[0:MDMDaemon:<0x1>] Processing server request: InstallApplication  for: <Device>",
                Channel::Device,
                received("InstallApplication", None, None),
            ),
            (
                "[501:MDMAgent:<0x1>] Processing server request: ProfileList for: <User: 501> (a (b) c) PowerNap: yes",
                Channel::User(501),
                received("ProfileList", Some("a (b) c"), Some(true)),
            ),
        ] {
            let event = event(line).unwrap();
            assert_eq!((event.channel, event.kind), (Some(channel), expected), "{line}");
        }
    }

    #[test]
    fn the_thread_of_the_prefix_serves_where_the_style_has_none() {
        let event = event("[0:MDMDaemon:HTTPUtil:<0x6c0d>] >>>>> Sending HTTP request (PUT) [Idle] >>>>>").unwrap();
        assert_eq!((event.thread, event.channel), (0x6c0d, Some(Channel::Device)));
    }

    #[test]
    fn a_refusal_keeps_its_reason_and_an_error_its_domain_and_code() {
        assert_eq!(
            what(
                "[0:MDMDaemon:<0x464d>] Responding 'NotNow' to server request: ProfileList for: <Device> reason: Not supported during DarkWake"
            ),
            EventKind::NotNow { request_type: "ProfileList".into(), reason: "Not supported during DarkWake".into() }
        );
        assert_eq!(
            what(
                "[0:MDMDaemon:<0x3>] [ErrorChain.0] (RemoveProfile) [MDMClientError:89] Profile with identifier 'ident' not found.>"
            ),
            EventKind::CommandError {
                request_type: Some("RemoveProfile".into()),
                token: None,
                domain: Some("MDMClientError".into()),
                code: Some(89),
                text: Some("Profile with identifier 'ident' not found.".into()),
            }
        );
    }

    #[test]
    fn what_is_quoted_inside_other_text_is_no_event() {
        for line in [
            "profile named >>>>> Sending HTTP request (PUT) [Idle] >>>>>",
            "[0:MDMDaemon:<0x1>] said: <<<<< Received HTTP response (200) [Idle] <<<<<",
            "<<<<< Received HTTP response (abc) [Idle] <<<<<",
            "<<<<< Received HTTP response (200) Idle <<<<<",
            "",
        ] {
            assert_eq!(event(line), None, "{line}");
        }
    }

    #[test]
    fn identity_trouble_is_mdmclients_own_and_not_what_it_quotes() {
        let gone = "The specified item is no longer valid. It may have been deleted from the keychain.";
        assert_eq!(
            what(&format!("[0:MDMDaemon:<0x1>] {gone}")),
            EventKind::IdentityTrouble(IdentityTrouble::ItemInvalid)
        );
        for line in [
            format!("[0:MDMDaemon:<0x1>] [ErrorChain.1] (InstallProfile) [NSOSStatusErrorDomain:-25304] {gone}>"),
            format!("[0:MDMDaemon:<0x1>] Error in pending response: {{ reason: {gone}"),
            "[0:MDMDaemon:<0x1>] Installed configuration profile: Unable to create MDM identity (fix)".to_owned(),
            format!("[501:MDMAgent:<0x1>] {gone}"),
        ] {
            assert_eq!(event(&line), None, "{line}");
        }
    }

    #[test]
    fn a_line_of_another_program_behind_the_first_does_not_hide_it() {
        let line = "<<<<< Received HTTP response (200) [Idle] <<<<<\n*** inventory script ran ***";
        assert_eq!(what(line), EventKind::ResponseReceived { status: 200, message: HttpMessage::Idle });
    }

    #[test]
    fn a_text_without_end_is_cut() {
        let long = format!("<<<<< Received HTTP response (200) [Acknowledged(X):{}] <<<<<", "é".repeat(100_000));
        let EventKind::ResponseReceived { message: HttpMessage::Answer { token: Some(token), .. }, .. } = what(&long)
        else {
            panic!("not an answer");
        };
        assert_eq!(token.len(), 512);
    }

    proptest::proptest! {
        #[test]
        fn no_message_panics(
            start in proptest::sample::select(vec![
                "", "[", "[0:M:<0x", "[ErrorChain.0] (", ">>>>> Sending HTTP request (", "Processing server request: ",
                "Responding 'NotNow' to server request: ", "<<<<< Received HTTP response (200) [",
            ]),
            rest in "\\PC{0,40}",
        ) {
            let _ = event(&format!("{start}{rest}"));
        }
    }
}
