-- name: os-updates-stalled
-- kind: policy
-- platform: darwin
-- interval: 7200
-- report: OS updates that failed or make no progress
-- description: A row for each update of macOS that failed and was not started again, that macOS itself calls stalled,
--   or that has shown no sign of progress for a day while under way; and one with the state unknown for each log or
--   file that could not be read. Updates that a later one replaced, or that no log has mentioned for 30 days, are
--   left out.
-- policy: macOS - OS updates make progress
-- passes: Passes if no update of macOS failed, is stalled, or has been under way for a day without a sign of
--   progress. Fails if one has. It does not check whether an update is due.
-- resolution: A macOS update failed or has stopped on this Mac. Make room on its disk, connect it to power, restart it, and
--   try again in System Settings, General, Software Update. If it fails again, contact your IT help desk.
-- admin: If reason is failed, error says why; check free disk space and power, then let the Mac try again. If it
--   makes no progress, restart the Mac; if that does not help, run the report "Restart what is stuck". If state is
--   unknown, nothing is known to be broken; see mdm_health_status.
-- well: No OS update failed or stopped.
-- fault: coalesce(nullif(p.title, ''), nullif(p.version, ''), nullif(p.product_key, ''), 'An OS update') || ' ' || CASE
--   p.reason WHEN 'failed' THEN 'failed' WHEN 'progress_stalled' THEN 'is stalled' ELSE 'shows no progress for a day' END
--   || ' (phase ' || p.phase || coalesce(', ' || nullif(p.error, ''), '') || ').'
SELECT
  'stalled' AS state,
  CASE WHEN u.phase = 'failed' THEN 'failed' WHEN u.stalled = 1 THEN 'progress_stalled' ELSE 'no_progress' END AS reason,
  u.product_key, u.title, u.version, u.build, u.phase, u.attempts, u.failed_at, u.error
FROM mdm_watchdog w CROSS JOIN os_update_status u
WHERE coalesce(u.kind, '') NOT IN ('config_data', 'app')
  AND u.last_event_at > w.checked_at - 2592000
  AND u.last_event_at > coalesce((SELECT max(installed_at) FROM os_update_status), 0)
  AND (
    u.phase = 'failed'
    OR (u.phase IN ('downloading', 'preparing', 'installing') AND u.stalled = 1)
    OR (
      u.phase IN ('command_received', 'downloading', 'preparing', 'installing')
      AND u.last_event_at <= w.checked_at - 86400
      AND coalesce(w.awake_since, 0) <= w.checked_at - w.window_seconds
    )
  )
UNION ALL
SELECT 'unknown', source || '_' || state, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM mdm_health_status
WHERE source IN ('install_log', 'software_update_preferences') AND state NOT IN ('ok', 'partial')
UNION ALL
SELECT 'unknown', 'log_incomplete', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM mdm_watchdog
WHERE reason LIKE 'log_%'
  OR NOT coalesce(log_from <= checked_at - window_seconds AND log_to >= checked_at - 120, 0);
