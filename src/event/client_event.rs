//! What mdmclient, apsd and remotemanagementd say outside of commands and HTTP requests: mostly what failed.

use super::update::squeezed;
use super::{bounded, cut, softwareupdated};
use crate::vocabulary::codes::ClientEventKind;
use serde::{Deserialize, Serialize};

/// The longest line that is kept as evidence, in bytes.
const MAX_LINE: usize = 300;

/// Something that the MDM client said outside of commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientEvent {
    pub kind: ClientEventKind,
    /// What it is about: an app's request, a declaration, a push topic.
    pub subject: Option<Box<str>>,
    pub error_domain: Option<Box<str>>,
    pub error_code: Option<i64>,
    pub message: Option<Box<str>>,
    /// The line, on one line and cut.
    pub line: Box<str>,
}

impl ClientEvent {
    fn new(kind: ClientEventKind, line: &str) -> Self {
        let line = cut(&squeezed(line), MAX_LINE).into();
        Self { kind, subject: None, error_domain: None, error_code: None, message: None, line }
    }

    fn about(self, subject: &str) -> Self {
        let subject = Some(subject.trim()).filter(|subject| !subject.is_empty() && !subject.starts_with("<private>"));
        Self { subject: subject.map(bounded), ..self }
    }

    /// With an error as Foundation prints it: `Error Domain=ASDErrorDomain Code=506 "Install request …" UserInfo={…}`.
    fn because(self, words: &str) -> Self {
        let error = softwareupdated::error(words);
        let message = Some(error.text).filter(|text| !text.is_empty() && &**text != "(null)");
        Self { error_domain: error.domain, error_code: error.code, message, ..self }
    }
}

/// What mdmclient says behind its tags.
pub fn of_mdmclient(said: &str) -> Option<ClientEvent> {
    app_install_aborted(said)
        .or_else(|| manifest_request(said))
        .or_else(|| install_finished(said))
        .or_else(|| boot_policy(said))
        .or_else(|| profile_not_installed(said))
}

/// `Aborting app install: Package signature cannot be verified <PKInstallErrorDomain:100>` (13.0). The server takes the
/// command for acknowledged, so nothing else says that the app is missing.
fn app_install_aborted(said: &str) -> Option<ClientEvent> {
    let why = said.strip_prefix("Aborting app install: ")?.lines().next()?.trim();
    let event = ClientEvent::new(ClientEventKind::AppInstallAborted, said);
    let error = why.strip_suffix('>').and_then(|why| why.rsplit_once(" <"));
    let error = error.and_then(|(text, error)| Some((text, error.rsplit_once(':')?)));
    Some(match error {
        Some((text, (domain, code))) => ClientEvent {
            error_domain: Some(bounded(domain)),
            error_code: code.parse().ok(),
            message: Some(bounded(text)),
            ..event
        },
        None => ClientEvent { message: Some(bounded(why)), ..event },
    })
}

/// `submitManifestRequest completed.  ID: 1 Error: Error Domain=ASDErrorDomain Code=506 "Install request is a duplicate"
/// UserInfo={…}` (11.2). Without an error it ends in `(null)`.
fn manifest_request(said: &str) -> Option<ClientEvent> {
    let (id, error) = said.strip_prefix("submitManifestRequest completed.")?.split_once(" Error: ")?;
    let error = Some(error).filter(|error| error.trim() != "(null)")?;
    let event = ClientEvent::new(ClientEventKind::AppInstallFailed, said);
    let event = event.about(id.trim().strip_prefix("ID:").unwrap_or_default()).because(error);
    let duplicate = event.error_domain.as_deref() == Some("ASDErrorDomain") && event.error_code == Some(506);
    let kind = if duplicate { ClientEventKind::AppInstallDuplicate } else { event.kind };
    Some(ClientEvent { kind, ..event })
}

/// `Install '2B3C…' finished.  Sucess: no  Error: {…}`, Apple's own spelling (from a capture; no version is stated).
fn install_finished(said: &str) -> Option<ClientEvent> {
    let (id, rest) = said.strip_prefix("Install '")?.split_once("' finished.")?;
    let error = rest.trim_start().strip_prefix("Sucess: no")?;
    let error = squeezed(error.trim_start().strip_prefix("Error: ").unwrap_or_default());
    let event = ClientEvent::new(ClientEventKind::AppInstallFailed, said).about(id);
    Some(ClientEvent { message: Some(bounded(&error)).filter(|error| !error.is_empty()), ..event })
}

/// `BootPolicy: bootpolicy_mdm_update_dep_mode: exit: OIK/OIC mismatch` (Apple silicon, as Apple's HT212745 quotes it), and
/// `bootpolicy_mdm_update_dep_mode failed: %@`, a format string of 27.0: MDM cannot update this Mac.
fn boot_policy(said: &str) -> Option<ClientEvent> {
    let said = said.strip_prefix("BootPolicy: ").unwrap_or(said);
    let rest = said.strip_prefix("bootpolicy_mdm_update_dep_mode")?;
    let why = rest.strip_prefix(": exit: ").or_else(|| rest.strip_prefix(" failed: "))?;
    let event = ClientEvent::new(ClientEventKind::BootPolicyFailed, said);
    Some(if why.starts_with("Error Domain=") {
        event.because(why)
    } else {
        ClientEvent { message: Some(bounded(why.trim())), ..event }
    })
}

/// `[CE] XPC: InstallMDMv1Profile <system> ==> Error Domain=MDMResponseStatus Code=401 "(null)"` (from a capture; no
/// version is stated): enrolling failed.
fn profile_not_installed(said: &str) -> Option<ClientEvent> {
    let (_, error) = said.strip_prefix("[CE] XPC: InstallMDMv1Profile ")?.split_once("==> ")?;
    error.starts_with("Error Domain=").then(|| ClientEvent::new(ClientEventKind::EnrollmentFailed, said).because(error))
}

/// `Received incoming push notification for topic: <private> but for a completely unknown token <private>` (26.6.2):
/// somebody pushes to a token that this Mac does not hold. As long as the topic is private, the line does not show
/// whether the push was MDM's.
pub fn of_apsd(message: &str) -> Option<ClientEvent> {
    let (before, _) = message.split_once(" but for a completely unknown token")?;
    let (_, topic) = before.split_once("push notification for topic: ")?;
    Some(ClientEvent::new(ClientEventKind::PushTokenUnknown, message).about(topic))
}

/// `Error while fetching object %@ (%@): %@`, a format string of RMMDMConduit: the object, its type, the error.
pub fn of_remotemanagementd(message: &str) -> Option<ClientEvent> {
    let (object, error) = message.strip_prefix("Error while fetching object ")?.split_once("): ")?;
    let (object, _) = object.rsplit_once(" (")?;
    Some(ClientEvent::new(ClientEventKind::DeclarationNotFetched, message).about(object).because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, subject, domain, code and message.
    type Told = (ClientEventKind, Option<String>, Option<String>, Option<i64>, Option<String>);

    fn said(line: &str) -> Option<Told> {
        of_mdmclient(line).map(told)
    }

    fn told(event: ClientEvent) -> Told {
        let text = |text: Option<Box<str>>| text.map(String::from);
        (event.kind, text(event.subject), text(event.error_domain), event.error_code, text(event.message))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn an_aborted_install_has_its_error_where_the_line_has_one() {
        use ClientEventKind::AppInstallAborted;
        assert_eq!(
            said("Aborting app install: Package signature cannot be verified <PKInstallErrorDomain:100>"),
            Some((
                AppInstallAborted,
                None,
                some("PKInstallErrorDomain"),
                Some(100),
                some("Package signature cannot be verified")
            ))
        );
        assert_eq!(
            said("Aborting app install: cancelled"),
            Some((AppInstallAborted, None, None, None, some("cancelled")))
        );
    }

    #[test]
    fn a_request_for_an_app_that_is_a_duplicate_is_told_from_one_that_failed() {
        use ClientEventKind::{AppInstallDuplicate, AppInstallFailed};
        let line = |code| {
            format!(
                "submitManifestRequest completed.  ID: 17 Error: Error Domain=ASDErrorDomain Code={code} \"Install request \
                 is a duplicate\" UserInfo={{NSLocalizedDescription=x}}"
            )
        };
        for (code, kind) in [(506, AppInstallDuplicate), (507, AppInstallFailed)] {
            let expected =
                (kind, some("17"), some("ASDErrorDomain"), Some(code), some("Install request is a duplicate"));
            assert_eq!(said(&line(code)), Some(expected));
        }
        assert_eq!(said("submitManifestRequest completed.  ID: 17 Error: (null)"), None);
        assert_eq!(
            said("Install '2B3C' finished.  Sucess: no  Error: {\n    code = 1;\n}"),
            Some((AppInstallFailed, some("2B3C"), None, None, some("{ code = 1; }")))
        );
        assert_eq!(said("Install '2B3C' finished.  Sucess: yes  Error: (null)"), None);
    }

    #[test]
    fn a_boot_policy_that_keeps_mdm_from_updating_the_mac_is_told() {
        use ClientEventKind::BootPolicyFailed;
        for line in [
            "BootPolicy: bootpolicy_mdm_update_dep_mode: exit: OIK/OIC mismatch",
            "bootpolicy_mdm_update_dep_mode: exit: OIK/OIC mismatch",
        ] {
            assert_eq!(said(line), Some((BootPolicyFailed, None, None, None, some("OIK/OIC mismatch"))));
        }
        assert_eq!(
            said("bootpolicy_mdm_update_dep_mode failed: Error Domain=BP Code=7 \"no\""),
            Some((BootPolicyFailed, None, some("BP"), Some(7), some("no")))
        );
        assert_eq!(said("bootpolicy_mdm_update_dep_mode: enter"), None);
    }

    #[test]
    fn an_enrollment_that_the_server_refused_has_its_status() {
        let line = "[CE] XPC: InstallMDMv1Profile <system> ==> Error Domain=MDMResponseStatus Code=401 \"(null)\"";
        let expected = (ClientEventKind::EnrollmentFailed, None, some("MDMResponseStatus"), Some(401), None);
        assert_eq!(said(line), Some(expected));
    }

    #[test]
    fn a_push_to_an_unknown_token_names_its_topic_unless_it_is_private() {
        let line = |topic| {
            format!(
                "Received incoming push notification for topic: {topic} but for a completely unknown token <private>"
            )
        };
        let topic = |topic| of_apsd(&line(topic)).map(|event| event.subject.map(String::from));
        assert_eq!(topic("<private>"), Some(None));
        assert_eq!(topic("com.example.app"), Some(some("com.example.app")));
        assert_eq!(of_apsd("Received incoming push notification for topic: x"), None);
    }

    #[test]
    fn a_declaration_that_could_not_be_fetched_is_named() {
        let line = "Error while fetching object 2B3C (configuration): Error Domain=InternalError Code=1 \"no (x): y\"";
        let expected =
            (ClientEventKind::DeclarationNotFetched, some("2B3C"), some("InternalError"), Some(1), some("no (x): y"));
        assert_eq!(of_remotemanagementd(line).map(told), Some(expected));
    }

    #[test]
    fn the_line_is_kept_short_and_on_one_line() {
        let long = format!("Aborting app install: {}\nmore", "é".repeat(1000));
        let event = of_mdmclient(&long).unwrap();
        assert!(event.line.len() <= MAX_LINE && !event.line.contains('\n'), "{}", event.line);
    }

    proptest::proptest! {
        #[test]
        fn no_message_panics(
            start in proptest::sample::select(vec![
                "Aborting app install: ", "submitManifestRequest completed.", "Install '", "bootpolicy_mdm_update_dep_mode",
                "Error while fetching object ", "Received incoming push notification for topic: ",
            ]),
            rest in "\\PC{0,40}|[ :<>()'A-Z=\"]{0,30}",
        ) {
            let line = format!("{start}{rest}");
            let _ = (of_mdmclient(&line), of_apsd(&line), of_remotemanagementd(&line));
        }
    }
}
