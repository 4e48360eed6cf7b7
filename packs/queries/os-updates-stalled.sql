-- name: os-updates-stalled
-- kind: policy
-- platform: darwin
-- interval: 3600
-- report: OS updates that failed or do not move
-- description: A row for each update of macOS that failed and was not begun again, that macOS itself calls stalled, or of which
--   nothing was heard for a day while it should be under way; and one with the state unknown for each log or file that could
--   not be read. Updates that a later one has overtaken, or that nobody spoke of for 30 days, are left out.
-- policy: macOS - OS updates move
-- passes: Passes if no update of macOS failed, is stalled, or has been under way for a day without a sign of life. Fails if one
--   has, and if that could not be told. Whether an update is due is not asked.
-- resolution: If reason is failed, error says why; look for free disk space and power, then let the Mac try again. If it does
--   not move, restart the Mac; if that does not help, run the report "Restart what is stuck". If state is unknown, nothing is
--   known to be broken; look at mdm_health_status.
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
