//! Why a command failed, as mdmclient says it.

use super::{EventKind, bounded};
use crate::property_list::old_style;
use plist::Value;

pub fn recognise(said: &str) -> Option<EventKind> {
    error_chain(said).or_else(|| pending_response(said))
}

/// `[ErrorChain.0] (InstallProfile) [CPProfile:-102] The profile is either missing some required information or
/// contains information in an invalid format.>` and
/// `[ErrorChain.0] (RemoveProfile) [MDMClientError:89] Profile with identifier 'ident' not found.>`
fn error_chain(said: &str) -> Option<EventKind> {
    let (request_type, rest) = said.strip_prefix("[ErrorChain.0] (")?.split_once(") [")?;
    let (error, text) = rest.split_once(']')?;
    let (domain, code) = error.rsplit_once(':')?;
    Some(EventKind::CommandError {
        request_type: Some(bounded(request_type)),
        token: None,
        domain: Some(bounded(domain)),
        code: code.parse().ok(),
        text: Some(bounded(text.strip_suffix('>').unwrap_or(text).trim())),
    })
}

/// A record of several lines, an old-style property list:
///
/// ```text
/// Error in pending response: {
///     CommandUUID = 13273055;
///     ErrorChain =     (
///                 {
///             ErrorCode = 89;
///             ErrorDomain = MDMClientError;
///             LocalizedDescription = "Profile with identifier 'ident' not found.";
///         }
///     );
///     RequestType = InstallProfile;
///     Status = Error;
/// }
/// ```
///
/// The keys of a link are those of Apple's protocol.
fn pending_response(said: &str) -> Option<EventKind> {
    const HEAD: &str = "Error in pending response";
    said.starts_with(HEAD).then_some(())?;
    let response = old_style::dictionary_after(said, HEAD).ok()?;
    let first = response.get("ErrorChain").and_then(Value::as_array).and_then(|chain| chain.first());
    let link = |key: &str| first.and_then(Value::as_dictionary).and_then(|link| link.get(key)).and_then(text_of);
    Some(EventKind::CommandError {
        request_type: response.get("RequestType").and_then(text_of).map(|text| bounded(&text)),
        token: response.get("CommandUUID").and_then(text_of).map(|text| bounded(&text)),
        domain: link("ErrorDomain").map(|text| bounded(&text)),
        code: link("ErrorCode").and_then(|text| text.parse().ok()),
        text: link("LocalizedDescription").or_else(|| link("USEnglishDescription")).map(|text| bounded(&text)),
    })
}

/// A text, or a number as text.
fn text_of(value: &Value) -> Option<String> {
    value.as_string().map(str::to_owned).or_else(|| value.as_signed_integer().map(|number| number.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dumped_response_gives_its_token_and_the_first_link_of_its_error_chain() {
        let dump = "Error in pending response: {\n    CommandUUID = 13273055;\n    ErrorChain =     (\n                {\n            \
                    ErrorCode = 89;\n            ErrorDomain = MDMClientError;\n            LocalizedDescription = \"Profile \
                    'ident' not found.\";\n        }\n    );\n    RequestType = RemoveProfile;\n    Status = Error;\n}";
        assert_eq!(
            recognise(dump).unwrap(),
            EventKind::CommandError {
                request_type: Some("RemoveProfile".into()),
                token: Some("13273055".into()),
                domain: Some("MDMClientError".into()),
                code: Some(89),
                text: Some("Profile 'ident' not found.".into()),
            }
        );
        assert_eq!(recognise(&dump[..dump.len() - 20]), None, "cut off");
    }
}
