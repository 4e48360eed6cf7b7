//! What an answer of the MDM server says, by its HTTP status and by who got it: one function for the tables and the rules.

/// What an answer says. Whatever it is, it proves that the client and the server reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 2xx: the server accepted the request; 204 is an answer without a body.
    Success,
    /// 404 to remotemanagementd, which macOS takes for "this declaration is gone": neither accepted nor refused.
    Gone,
    /// 1xx and 3xx: says neither that the server accepts this Mac nor that it refuses it.
    Neutral,
    /// 4xx and 5xx: the server refuses. That is the server's trouble, not the client's.
    Refusal,
}

impl Answer {
    /// `declarative`: whether remotemanagementd got it, and not mdmclient.
    pub fn of(status: u16, declarative: bool) -> Self {
        match status {
            200..300 => Self::Success,
            404 if declarative => Self::Gone,
            ..400 => Self::Neutral,
            400.. => Self::Refusal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_says_the_same_to_both_clients_but_404() {
        use Answer::{Gone, Neutral, Refusal, Success};
        for (status, mdmclient, remotemanagementd) in [
            (100, Neutral, Neutral),
            (200, Success, Success),
            (204, Success, Success),
            (302, Neutral, Neutral),
            (401, Refusal, Refusal),
            (403, Refusal, Refusal),
            (404, Refusal, Gone),
            (410, Refusal, Refusal),
            (503, Refusal, Refusal),
        ] {
            assert_eq!(
                (Answer::of(status, false), Answer::of(status, true)),
                (mdmclient, remotemanagementd),
                "{status}"
            );
        }
    }
}
