-- name: mdm-timeline
-- kind: incident
-- platform: darwin
-- report: What happened on this Mac
-- description: What the MDM client sent to its server, the commands that it received, how OS updates went, and what
--   was healed, in the order of time, for the last 24 hours. Change the number of seconds (86400) for more or less.
SELECT datetime(at, 'unixepoch') AS utc, what, subject, outcome, detail
FROM (
  SELECT
    coalesce(started_at, finished_at) AS at, 'exchange' AS what,
    trim(coalesce(message_type, '') || ' ' || coalesce(request_type, '')) AS subject, outcome, 'HTTP ' || http_status AS detail
  FROM mdm_exchanges
  UNION ALL
  SELECT received_at, 'command received', request_type, NULL, command_uuid FROM mdm_commands_recent
  UNION ALL
  SELECT
    responded_at, 'command answered', request_type, status,
    coalesce(nullif(error_message, ''), nullif(reason, ''), command_uuid)
  FROM mdm_commands_recent
  UNION ALL
  SELECT
    at, 'update ' || kind, coalesce(nullif(product_key, ''), nullif(machine, ''), process),
    coalesce(nullif(phase, ''), nullif(to_state, ''), action), detail
  FROM os_update_events
  UNION ALL
  SELECT requested_at, 'heal', action, outcome, detail FROM mdm_heal
)
WHERE at > (SELECT checked_at - 86400 FROM mdm_watchdog)
ORDER BY at;
