-- name: mdm-sources-trouble
-- kind: policy
-- platform: darwin
-- interval: 14400
-- report: Macs on which mdm-health cannot read everything
-- description: A row for each log, command or file that could not be read, or only in part; the other tables report
--   unknown for whatever depends on it. What passes by itself or is normal gives no row: a first reading that is still
--   under way, only the end of a long install.log, old events that were dropped, a source that a capture does not have,
--   some messages of mdmclient that macOS shows as private (but a row if it is all of them).
-- policy: macOS - mdm-health can read all that it needs
-- passes: Passes if mdm-health could read every source of evidence completely. Fails if it could not.
-- resolution: This is not about anything that you did, and there is nothing for you to do. Your IT team has to give its
--   monitoring program access to this Mac's log.
-- admin: Run SELECT source, state, reason, detail FROM mdm_health_status WHERE state <> 'ok' on the Mac; detail says what
--   to do. Most often the program that starts mdm-health does not run as root or has no Full Disk Access.
-- well: mdm-health can read all that it needs.
-- fault: coalesce((SELECT s.detail FROM mdm_health_status s WHERE s.source = p.source AND s.detail <> ''),
--   'The source ' || p.source || ' could not be read: ' || p.reason || '.')
SELECT source, state, reason
FROM mdm_health_status
WHERE state IN ('partial', 'error')
  AND NOT (state = 'partial' AND coalesce(reason, '') = 'private_messages')
  AND coalesce(reason, '') NOT IN ('end_only', 'collecting', 'not_read', 'too_many_events', 'too_many_update_events');
