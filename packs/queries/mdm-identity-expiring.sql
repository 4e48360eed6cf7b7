-- name: mdm-identity-expiring
-- kind: policy
-- platform: darwin
-- interval: 3600
-- report: Macs whose MDM identity expires soon or cannot be used
-- description: A row for the MDM's identity if it is not valid for more than the next 30 days or has no private key, and for
--   each that may be it if one of them is so; state says which. On a Mac without MDM there is no row.
-- policy: macOS - MDM identity is valid for 30 days
-- passes: Passes if the identity with which this Mac talks to its MDM is valid for more than the next 30 days, if every one
--   that may be it is, and on a Mac without MDM. Fails otherwise, and if that could not be told.
-- resolution: If state is expiring, have the MDM server renew the identity, which is to send its enrollment profile again. If
--   it is expired, missing or no_private_key, enroll the Mac again. If state is unknown or ambiguous, nothing is known to be
--   broken; detail says why it could not be told. An identity in the hardware (hardware_bound) can never be told, leave such
--   Macs out.
SELECT state, reason, detail, common_name, issuer, not_after, has_private_key, matched_by
FROM mdm_identity
WHERE coalesce(is_mdm_identity, 1) = 1
  AND coalesce(state, 'unknown') <> 'valid'
  AND NOT (
    state = 'ambiguous'
    AND coalesce(has_private_key, 0) = 1
    AND coalesce(not_before <= (SELECT checked_at FROM mdm_watchdog), 0)
    AND coalesce(days_left > 30, 0)
  );
