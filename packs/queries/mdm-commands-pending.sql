-- name: mdm-commands-pending
-- kind: policy
-- platform: darwin
-- interval: 3600
-- report: MDM commands that were never answered
-- description: A row for each MDM command that this Mac received and did not answer although it was awake for 90 minutes
--   since, and one with the state unknown if the log does not show it. A Mac without MDM has no row.
-- policy: macOS - MDM commands are answered
-- passes: Passes if this Mac answered every MDM command within 90 minutes in which it was awake (NotNow is an answer),
--   and on a Mac without MDM. Fails if one was never answered.
-- resolution: Your Mac has not finished something that your IT team asked of it. Save your work and restart the Mac. If
--   this message is still here tomorrow, contact your IT help desk.
-- admin: Run the report "What happened on this Mac" to see what the MDM client did with the command. If mdm_watchdog
--   calls it stuck too, run the report "Restart what is stuck"; otherwise send the command again. If state is unknown,
--   nothing is known to be broken; see mdm_health_status.
-- well: Every MDM command was answered.
-- fault: 'The MDM command ' || coalesce(nullif(p.request_type, ''), 'of unknown type') || ' was received at '
--   || datetime(p.received_at, 'unixepoch') || ' UTC and never answered.'
-- only: enrolled
SELECT 'pending' AS state, 'never_answered' AS reason, c.request_type, c.command_uuid, c.channel, c.received_at
FROM mdm_watchdog w CROSS JOIN mdm_commands_recent c
WHERE w.state <> 'not_enrolled'
  AND c.status = 'pending'
  AND c.responded_at IS NULL
  AND c.received_at >= w.log_from
  AND c.awake_seconds >= w.window_seconds
UNION ALL
SELECT 'unknown', 'log_incomplete', NULL, NULL, NULL, NULL
FROM mdm_watchdog
WHERE state <> 'not_enrolled'
  AND (
    reason LIKE 'log_%'
    OR NOT coalesce(log_from <= checked_at - window_seconds AND log_to >= checked_at - 120, 0)
  );
