-- name: mdm-diagnosis
-- kind: incident
-- platform: darwin
-- report: What is wrong with this Mac's MDM, and why
-- description: The verdicts of all tables, one row each, with a sentence that says why, and a row for each source
--   that could not be read. Start here.
SELECT 'mdm_watchdog' AS what, state, reason, detail FROM mdm_watchdog
UNION ALL
SELECT 'mdm_enrollment', state, reason, detail FROM mdm_enrollment
UNION ALL
SELECT 'mdm_identity', state, coalesce(nullif(reason, ''), matched_by), detail
FROM mdm_identity
WHERE coalesce(is_mdm_identity, 1) = 1
UNION ALL
SELECT
  'os_update_status', phase, error,
  coalesce(
    nullif(title, ''), nullif(product_key, ''), nullif(version, ''), nullif(build, ''), 'an update that no source names'
  )
FROM os_update_status
UNION ALL
SELECT
  'os_update_enforcement', state, failure_reason,
  coalesce(nullif(target_os_version, ''), nullif(target_build_version, ''), 'no version') || ' by '
    || coalesce(nullif(target_local_datetime, ''), 'no date')
FROM os_update_enforcement
UNION ALL
SELECT 'mdm_health_status', state, source || coalesce(': ' || nullif(reason, ''), ''), detail
FROM mdm_health_status
WHERE state <> 'ok';
