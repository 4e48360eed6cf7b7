-- name: mdm-last-exchanges
-- kind: incident
-- platform: darwin
-- report: The last exchanges of this Mac with its MDM server
-- description: The last 50 HTTP requests of the MDM client, newest first, with the server's answers.
SELECT
  datetime(coalesce(started_at, finished_at), 'unixepoch') AS utc, message_type, request_type, http_status, duration_ms, outcome,
  channel, command_uuid
FROM mdm_exchanges
ORDER BY coalesce(started_at, finished_at) DESC
LIMIT 50;
