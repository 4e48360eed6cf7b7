-- name: mdm-client-stuck
-- kind: policy
-- platform: darwin
-- interval: 1800
-- report: Macs whose MDM client does not talk to its server
-- description: A row if the MDM client is stuck, if the MDM identity cannot be used, or if the answer is unknown;
--   reason says which. A Mac that is only quiet, or has no MDM, has no row.
-- policy: macOS - MDM client talks to its server
-- passes: Passes if the MDM client talked to its server within 90 minutes, if it is quiet but nothing failed, and
--   on a Mac without MDM. Fails if it is stuck, if the server refuses it, and if its identity cannot be used.
-- resolution: Your Mac has lost contact with your organization's device management. Connect it to the internet and leave
--   it on for two hours. If this message is still here tomorrow, restart the Mac. If that does not help either, ask your
--   IT help desk for help with "MDM client stuck".
-- admin: Run SELECT state, reason, detail FROM mdm_watchdog on the Mac. If state is stuck, connect the Mac to the
--   internet, then run the report "Restart what is stuck". If state is server_error, check the MDM server. If state is
--   identity_error, enroll the Mac again. If state is unknown, nothing is known to be broken; recently_awake goes away
--   by itself, for other reasons see mdm_health_status.
-- well: The MDM client talks to its server, or is quiet and nothing failed.
-- fault: (SELECT detail FROM mdm_watchdog)
-- only: enrolled
-- fleet: heal
-- brief: recently_awake, awake_unknown, offline, still_reading
SELECT state, reason, last_success_at, last_command_type, last_command_at
FROM mdm_watchdog
WHERE coalesce(nullif(state, ''), 'unknown') NOT IN ('ok', 'quiet', 'not_enrolled');
