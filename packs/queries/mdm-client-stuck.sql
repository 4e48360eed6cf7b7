-- name: mdm-client-stuck
-- kind: policy
-- platform: darwin
-- interval: 3600
-- report: Macs whose MDM client does not talk to its server
-- description: A row if the MDM client is stuck, if the MDM identity cannot be used, or if the answer is unknown;
--   reason says which. A Mac that is only quiet, or has no MDM, has no row.
-- policy: macOS - MDM client talks to its server
-- passes: Passes if the MDM client talked to its server within 90 minutes, if it is quiet but nothing failed, and
--   on a Mac without MDM. Fails if it is stuck, if the server refuses it, and if its identity cannot be used. If the
--   answer is unknown it passes, and the report says why.
-- resolution: Run SELECT state, reason, detail FROM mdm_watchdog on the Mac. If state is stuck and reason is
--   command_hung, requests_unanswered or silent_too_long, connect the Mac to the internet, then run the report
--   "Restart what is stuck". If state is server_error, check the MDM server. If state is identity_error, enroll the
--   Mac again. If state is unknown, nothing is known to be broken; recently_awake goes away by itself, for other
--   reasons see mdm_health_status.
SELECT state, reason, last_success_at, last_command_type, last_command_at
FROM mdm_watchdog
WHERE coalesce(state, 'unknown') NOT IN ('ok', 'quiet', 'not_enrolled');
