-- name: mdm-identity-expiring
-- kind: policy
-- platform: darwin
-- interval: 43200
-- report: Macs whose MDM identity expires soon or cannot be used
-- description: A row for the MDM identity if it expires within 30 days, is not valid, or has no private key. If
--   several could be the MDM identity, a row for each that is not valid for more than 30 days; state says which. A
--   Mac without MDM has no row.
-- policy: macOS - MDM identity is valid for 30 days
-- passes: Passes if the identity with which this Mac talks to its MDM is valid for more than the next 30 days, or,
--   if several could be it, all of them are, and on a Mac without MDM. Fails otherwise. The answer is unknown for an
--   identity in the Secure Enclave (hardware_bound).
-- resolution: The certificate with which your Mac identifies itself to your organization's device management is missing,
--   has expired or is about to. You cannot renew it yourself. Contact your IT help desk and mention "MDM identity".
-- admin: If state is expiring, have the MDM server renew the identity by sending its enrollment profile again. If it is
--   expired, missing or no_private_key, enroll the Mac again. If it is ambiguous, detail says which identities may be
--   the MDM's. If it is unknown, nothing is known to be broken; detail says why.
-- well: The MDM identity is valid for more than 30 days.
-- fault: coalesce(nullif(p.detail, ''), 'The state of the MDM identity is ' || p.state
--   || coalesce('; it expires on ' || date(p.not_after, 'unixepoch'), '') || '.')
-- only: enrolled
-- fleet: critical
SELECT state, reason, detail, common_name, issuer, not_after, has_private_key, matched_by
FROM mdm_identity
WHERE coalesce(is_mdm_identity, 1) = 1
  AND coalesce(nullif(state, ''), 'unknown') <> 'valid'
  AND NOT (
    state = 'ambiguous'
    AND coalesce(has_private_key, 0) = 1
    AND coalesce(not_before <= (SELECT checked_at FROM mdm_watchdog), 0)
    AND coalesce(days_left > 30, 0)
  );
