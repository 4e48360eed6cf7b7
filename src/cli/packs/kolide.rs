//! Kolide's form: a check for each policy.
//!
//! A check gives at least one row, always, and says in each row's `KOLIDE_CHECK_STATUS` one of five words. Kolide has no
//! file that holds checks: each is pasted where a custom check is made.

use super::query::{Kind, Policy, QUERIES, Query};
use crate::vocabulary::codes::{EnrollmentReason, IdentityReason, WatchdogReason};
use std::fmt::Write as _;

/// The reasons of an unknown answer that are errors: a log, a command or a file could not be read.
fn errors() -> [&'static str; 5] {
    [
        WatchdogReason::LogUnreadable.word(),
        WatchdogReason::LogEmpty.word(),
        EnrollmentReason::EnrollmentUnknown.word(),
        IdentityReason::IdentitiesUnknown.word(),
        IdentityReason::CertificatesUnknown.word(),
    ]
}

/// What is said of answers that are unknown.
const UNKNOWN: &str = " If the answer is unknown, the status is UNKNOWN, or ERROR where something could not be read.";

/// Every check, each below comments that say what it is and what its fields in Kolide could say.
pub fn checks() -> String {
    let mut file = format!(
        "-- Made by: mdm-health packs kolide (mdm-health {})\n\
         -- For Kolide: one custom check for each SELECT below, for macOS, on devices that have the extension.\n",
        crate::VERSION
    );
    for query in QUERIES {
        let Kind::Policy(policy) = &query.kind else { continue };
        let _ = write!(
            file,
            "\n-- Check: {}\n-- Description: {}{}\n-- For the user: {}\n-- For admins: {}\n{}\n",
            policy.title,
            policy.passes,
            if query.may_be_unknown() { UNKNOWN } else { "" },
            policy.resolution,
            policy.admin,
            check(query, policy)
        );
    }
    file
}

/// The SQL of a check. The outer join makes a row where the query gives none.
fn check(query: &Query, policy: &Policy) -> String {
    const NO_MDM: &str = "p.state IS NULL AND EXISTS (SELECT 1 FROM mdm_watchdog WHERE state = 'not_enrolled')";
    let [inapplicable, says_so] = if policy.enrolled_only {
        ["'INAPPLICABLE'", "'This Mac is not enrolled in an MDM.'"]
            .map(|then| format!("    WHEN {NO_MDM} THEN {then}\n"))
    } else {
        Default::default()
    };
    let errors = errors().map(|word| format!("'{word}'")).join(", ");
    format!(
        "WITH problems AS (\n{query})\n\
         SELECT\n  CASE\n{inapplicable}    WHEN p.state IS NULL THEN 'PASS'\n    \
         WHEN p.state = 'unknown' AND (p.reason IN ({errors}) OR p.reason LIKE '%\\_error' ESCAPE '\\') THEN 'ERROR'\n    \
         WHEN p.state = 'unknown' THEN 'UNKNOWN'\n    ELSE 'FAIL'\n  END AS KOLIDE_CHECK_STATUS,\n  \
         CASE\n{says_so}    WHEN p.state IS NULL THEN '{well}'\n    \
         WHEN p.state = 'unknown' THEN 'Unknown: ' || coalesce(nullif(p.reason, ''), 'no reason is known') || \
         '. The table mdm_health_status says more.'\n    \
         ELSE {fault}\n  END AS message,\n  p.*\n\
         FROM (SELECT 1) LEFT JOIN problems p ON 1;",
        query = query.indented(2),
        well = policy.well.replace('\'', "''"),
        fault = policy.fault,
    )
}
