-- name: os-update-enforcement
-- kind: policy
-- platform: darwin
-- interval: 3600
-- report: Enforced OS updates that are past due or failing
-- description: A row for each OS update that DDM enforces and that is past due by 90 minutes, keeps failing, is not
--   offered by Apple, or was rejected by the Mac without a later declaration; and one with the state unknown if the
--   answer is unknown. Declarations that only old logs name are left out.
-- policy: macOS - Enforced OS updates are on time
-- passes: Passes if no OS update that DDM enforces on this Mac is past due or failing, and if none is enforced.
--   Fails if one is past due or failing, if Apple does not offer it, or if the Mac rejected the declaration.
-- resolution: A macOS update that your organization requires is overdue on this Mac. Save your work, connect the Mac to
--   power, open System Settings, General, Software Update, and install it. If it does not install, contact your IT help
--   desk.
-- admin: If state is past_due, have the user save their work and restart; if the update does not begin, run the
--   report "Restart what is stuck". If reason is failing, failure_reason says why. If state is no_match or rejected,
--   correct the version or build in the declaration on the MDM server. If state is unknown, nothing is known to be
--   broken; see mdm_health_status.
-- well: Every OS update that is enforced on this Mac is on time, or none is enforced.
-- fault: 'macOS ' || coalesce(nullif(p.target_os_version, ''), nullif(p.target_build_version, ''), 'of unknown version')
--   || ' was due at ' || coalesce(nullif(p.target_local_datetime, ''), 'an unknown time') || ': '
--   || coalesce(nullif(p.failure_reason, ''), p.reason) || '.'
-- fleet: calendar
SELECT
  e.state,
  CASE WHEN e.failure_count >= 2 AND e.failed_at > w.checked_at - 86400 THEN 'failing' ELSE e.state END AS reason,
  e.declaration_id, e.target_os_version, e.target_build_version, e.target_local_datetime, e.deadline_at, e.failure_reason
FROM mdm_watchdog w CROSS JOIN os_update_enforcement e
WHERE (e.failure_count >= 2 AND e.failed_at > w.checked_at - 86400 AND e.state NOT IN ('met', 'stale', 'rejected'))
  OR (
    (e.source LIKE '%ddm_state%' OR e.seen_at > w.checked_at - 604800)
    AND (
      e.state IN ('no_match', 'unknown')
      OR (
        e.state = 'rejected'
        AND e.seen_at >= coalesce((SELECT max(seen_at) FROM os_update_enforcement WHERE state <> 'stale'), 0)
      )
      OR (
        e.state = 'past_due'
        AND coalesce(max(e.deadline_at, coalesce(e.padded_deadline_at, 0)), 0) <= w.checked_at - w.window_seconds
      )
    )
  )
UNION ALL
SELECT 'unknown', source || '_' || state, NULL, NULL, NULL, NULL, NULL, NULL
FROM mdm_health_status
WHERE source IN ('ddm_state', 'system_version') AND state <> 'ok';
