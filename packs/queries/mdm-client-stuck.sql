-- name: mdm-client-stuck
-- kind: policy
-- platform: darwin
-- interval: 3600
-- report: Macs whose MDM client does not talk to its server
-- description: A row if the MDM client is stuck, the MDM identity cannot be used, or neither could be told; reason says
--   which. A Mac that is only quiet, or has no MDM, is no row.
-- policy: macOS - MDM client talks to its server
-- passes: Passes if the MDM client talked to its server within 90 minutes, if it is quiet but nothing failed, and on a Mac
--   without MDM. Fails if it is stuck, if its identity cannot be used, and if the evidence does not say.
-- resolution: Run SELECT state, reason, detail FROM mdm_watchdog on the Mac. If state is stuck and reason is command_hung,
--   requests_unanswered or silent_too_long, connect the Mac to the internet, then run the report "Restart what is stuck".
--   If reason is server_errors, look at the MDM server. If state is identity_error, enroll the Mac again. If state is
--   unknown, nothing is known to be broken; recently_awake passes by itself, for the rest look at mdm_health_status.
SELECT state, reason, last_success_at, last_command_type, last_command_at
FROM mdm_watchdog
WHERE coalesce(state, 'unknown') NOT IN ('ok', 'quiet', 'not_enrolled');
