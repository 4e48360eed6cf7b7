-- Made by: mdm-health packs kolide (mdm-health 0.1.0)
-- For Kolide: one custom check for each SELECT below, for macOS, on devices that have the extension.

-- Check: macOS - MDM client talks to its server
-- Description: Passes if the MDM client talked to its server within 90 minutes, if it is quiet but nothing failed, and on a Mac without MDM. Fails if it is stuck, if the server refuses it, and if its identity cannot be used. If the answer is unknown, the status is UNKNOWN, or ERROR where something could not be read.
-- For the user: Your Mac has lost contact with your organization's device management. Connect it to the internet and leave it on for two hours. If this message is still here tomorrow, restart the Mac. If that does not help either, ask your IT help desk for help with "MDM client stuck".
-- For admins: Run SELECT state, reason, detail FROM mdm_watchdog on the Mac. If state is stuck, connect the Mac to the internet, then run the report "Restart what is stuck". If state is server_error, check the MDM server. If state is identity_error, enroll the Mac again. If state is unknown, nothing is known to be broken; recently_awake goes away by itself, for other reasons see mdm_health_status.
WITH problems AS (
  SELECT state, reason, last_success_at, last_command_type, last_command_at
  FROM mdm_watchdog
  WHERE coalesce(nullif(state, ''), 'unknown') NOT IN ('ok', 'quiet', 'not_enrolled')
)
SELECT
  CASE
    WHEN p.state IS NULL AND EXISTS (SELECT 1 FROM mdm_watchdog WHERE state = 'not_enrolled') THEN 'INAPPLICABLE'
    WHEN p.state IS NULL THEN 'PASS'
    WHEN p.state = 'unknown' AND (p.reason IN ('log_unreadable', 'log_empty', 'enrollment_unknown', 'identities_unknown', 'certificates_unknown') OR p.reason LIKE '%\_error' ESCAPE '\') THEN 'ERROR'
    WHEN p.state = 'unknown' THEN 'UNKNOWN'
    ELSE 'FAIL'
  END AS KOLIDE_CHECK_STATUS,
  CASE
    WHEN p.state IS NULL AND EXISTS (SELECT 1 FROM mdm_watchdog WHERE state = 'not_enrolled') THEN 'This Mac is not enrolled in an MDM.'
    WHEN p.state IS NULL THEN 'The MDM client talks to its server, or is quiet and nothing failed.'
    WHEN p.state = 'unknown' THEN 'Unknown: ' || coalesce(nullif(p.reason, ''), 'no reason is known') || '. The table mdm_health_status says more.'
    ELSE (SELECT detail FROM mdm_watchdog)
  END AS message,
  p.*
FROM (SELECT 1) LEFT JOIN problems p ON 1;

-- Check: macOS - MDM commands are answered
-- Description: Passes if this Mac answered every MDM command within 90 minutes in which it was awake (NotNow is an answer), and on a Mac without MDM. Fails if one was never answered. If the answer is unknown, the status is UNKNOWN, or ERROR where something could not be read.
-- For the user: Your Mac has not finished something that your IT team asked of it. Save your work and restart the Mac. If this message is still here tomorrow, contact your IT help desk.
-- For admins: Run the report "What happened on this Mac" to see what the MDM client did with the command. If mdm_watchdog calls it stuck too, run the report "Restart what is stuck"; otherwise send the command again. If state is unknown, nothing is known to be broken; see mdm_health_status.
WITH problems AS (
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
    )
)
SELECT
  CASE
    WHEN p.state IS NULL AND EXISTS (SELECT 1 FROM mdm_watchdog WHERE state = 'not_enrolled') THEN 'INAPPLICABLE'
    WHEN p.state IS NULL THEN 'PASS'
    WHEN p.state = 'unknown' AND (p.reason IN ('log_unreadable', 'log_empty', 'enrollment_unknown', 'identities_unknown', 'certificates_unknown') OR p.reason LIKE '%\_error' ESCAPE '\') THEN 'ERROR'
    WHEN p.state = 'unknown' THEN 'UNKNOWN'
    ELSE 'FAIL'
  END AS KOLIDE_CHECK_STATUS,
  CASE
    WHEN p.state IS NULL AND EXISTS (SELECT 1 FROM mdm_watchdog WHERE state = 'not_enrolled') THEN 'This Mac is not enrolled in an MDM.'
    WHEN p.state IS NULL THEN 'Every MDM command was answered.'
    WHEN p.state = 'unknown' THEN 'Unknown: ' || coalesce(nullif(p.reason, ''), 'no reason is known') || '. The table mdm_health_status says more.'
    ELSE 'The MDM command ' || coalesce(nullif(p.request_type, ''), 'of unknown type') || ' was received at ' || datetime(p.received_at, 'unixepoch') || ' UTC and never answered.'
  END AS message,
  p.*
FROM (SELECT 1) LEFT JOIN problems p ON 1;

-- Check: macOS - Enrolled in MDM and approved
-- Description: Passes if this Mac is enrolled in an MDM by Automated Device Enrollment or with a user's approval, and its sources agree on that. Fails otherwise. If the answer is unknown, the status is UNKNOWN, or ERROR where something could not be read.
-- For the user: Your Mac is not managed by your organization, or its management was never approved. Open System Settings, search for "Device Management", and approve the profile there. If there is none, contact your IT help desk.
-- For admins: If state is not_enrolled, enroll the Mac. If reason is not_user_approved, have the user approve the profile in System Settings, under Device Management. If the sources disagree, detail says on what; enroll the Mac again. If state is unknown, nothing is known to be broken; see mdm_health_status.
WITH problems AS (
  SELECT state, reason, detail, server_url, enrolled_via_dep, user_approved
  FROM mdm_enrollment
  WHERE coalesce(nullif(state, ''), 'unknown') <> 'enrolled'
    OR reason IN ('not_user_approved', 'approval_unknown')
    OR sources_agree = 0
)
SELECT
  CASE
    WHEN p.state IS NULL THEN 'PASS'
    WHEN p.state = 'unknown' AND (p.reason IN ('log_unreadable', 'log_empty', 'enrollment_unknown', 'identities_unknown', 'certificates_unknown') OR p.reason LIKE '%\_error' ESCAPE '\') THEN 'ERROR'
    WHEN p.state = 'unknown' THEN 'UNKNOWN'
    ELSE 'FAIL'
  END AS KOLIDE_CHECK_STATUS,
  CASE
    WHEN p.state IS NULL THEN 'This Mac is enrolled in an MDM, and the enrollment was approved.'
    WHEN p.state = 'unknown' THEN 'Unknown: ' || coalesce(nullif(p.reason, ''), 'no reason is known') || '. The table mdm_health_status says more.'
    ELSE coalesce(nullif(p.detail, ''), 'The state of the enrollment is ' || p.state || ', the reason ' || p.reason || '.')
  END AS message,
  p.*
FROM (SELECT 1) LEFT JOIN problems p ON 1;

-- Check: macOS - MDM identity is valid for 30 days
-- Description: Passes if the identity with which this Mac talks to its MDM is valid for more than the next 30 days, or, if several could be it, all of them are, and on a Mac without MDM. Fails otherwise. The answer is unknown for an identity in the Secure Enclave (hardware_bound). If the answer is unknown, the status is UNKNOWN, or ERROR where something could not be read.
-- For the user: The certificate with which your Mac identifies itself to your organization's device management is missing, has expired or is about to. You cannot renew it yourself. Contact your IT help desk and mention "MDM identity".
-- For admins: If state is expiring, have the MDM server renew the identity by sending its enrollment profile again. If it is expired, missing or no_private_key, enroll the Mac again. If it is ambiguous, detail says which identities may be the MDM's. If it is unknown, nothing is known to be broken; detail says why.
WITH problems AS (
  SELECT state, reason, detail, common_name, issuer, not_after, has_private_key, matched_by
  FROM mdm_identity
  WHERE coalesce(is_mdm_identity, 1) = 1
    AND coalesce(nullif(state, ''), 'unknown') <> 'valid'
    AND NOT (
      state = 'ambiguous'
      AND coalesce(has_private_key, 0) = 1
      AND coalesce(not_before <= (SELECT checked_at FROM mdm_watchdog), 0)
      AND coalesce(days_left > 30, 0)
    )
)
SELECT
  CASE
    WHEN p.state IS NULL AND EXISTS (SELECT 1 FROM mdm_watchdog WHERE state = 'not_enrolled') THEN 'INAPPLICABLE'
    WHEN p.state IS NULL THEN 'PASS'
    WHEN p.state = 'unknown' AND (p.reason IN ('log_unreadable', 'log_empty', 'enrollment_unknown', 'identities_unknown', 'certificates_unknown') OR p.reason LIKE '%\_error' ESCAPE '\') THEN 'ERROR'
    WHEN p.state = 'unknown' THEN 'UNKNOWN'
    ELSE 'FAIL'
  END AS KOLIDE_CHECK_STATUS,
  CASE
    WHEN p.state IS NULL AND EXISTS (SELECT 1 FROM mdm_watchdog WHERE state = 'not_enrolled') THEN 'This Mac is not enrolled in an MDM.'
    WHEN p.state IS NULL THEN 'The MDM identity is valid for more than 30 days.'
    WHEN p.state = 'unknown' THEN 'Unknown: ' || coalesce(nullif(p.reason, ''), 'no reason is known') || '. The table mdm_health_status says more.'
    ELSE coalesce(nullif(p.detail, ''), 'The state of the MDM identity is ' || p.state || coalesce('; it expires on ' || date(p.not_after, 'unixepoch'), '') || '.')
  END AS message,
  p.*
FROM (SELECT 1) LEFT JOIN problems p ON 1;

-- Check: macOS - mdm-health can read all that it needs
-- Description: Passes if mdm-health could read every source of evidence completely. Fails if it could not.
-- For the user: This is not about anything that you did, and there is nothing for you to do. Your IT team has to give its monitoring program access to this Mac's log.
-- For admins: Run SELECT source, state, reason, detail FROM mdm_health_status WHERE state <> 'ok' on the Mac; detail says what to do. Most often the program that starts mdm-health does not run as root or has no Full Disk Access.
WITH problems AS (
  SELECT source, state, reason
  FROM mdm_health_status
  WHERE state IN ('partial', 'error')
    AND NOT (state = 'partial' AND coalesce(reason, '') = 'private_messages')
    AND coalesce(reason, '') NOT IN ('end_only', 'collecting', 'not_read', 'too_many_events', 'too_many_update_events')
)
SELECT
  CASE
    WHEN p.state IS NULL THEN 'PASS'
    WHEN p.state = 'unknown' AND (p.reason IN ('log_unreadable', 'log_empty', 'enrollment_unknown', 'identities_unknown', 'certificates_unknown') OR p.reason LIKE '%\_error' ESCAPE '\') THEN 'ERROR'
    WHEN p.state = 'unknown' THEN 'UNKNOWN'
    ELSE 'FAIL'
  END AS KOLIDE_CHECK_STATUS,
  CASE
    WHEN p.state IS NULL THEN 'mdm-health can read all that it needs.'
    WHEN p.state = 'unknown' THEN 'Unknown: ' || coalesce(nullif(p.reason, ''), 'no reason is known') || '. The table mdm_health_status says more.'
    ELSE coalesce((SELECT s.detail FROM mdm_health_status s WHERE s.source = p.source AND s.detail <> ''), 'The source ' || p.source || ' could not be read: ' || p.reason || '.')
  END AS message,
  p.*
FROM (SELECT 1) LEFT JOIN problems p ON 1;

-- Check: macOS - Enforced OS updates are on time
-- Description: Passes if no OS update that DDM enforces on this Mac is past due or failing, and if none is enforced. Fails if one is past due or failing, if Apple does not offer it, or if the Mac rejected the declaration. If the answer is unknown, the status is UNKNOWN, or ERROR where something could not be read.
-- For the user: A macOS update that your organization requires is overdue on this Mac. Save your work, connect the Mac to power, open System Settings, General, Software Update, and install it. If it does not install, contact your IT help desk.
-- For admins: If state is past_due, have the user save their work and restart; if the update does not begin, run the report "Restart what is stuck". If reason is failing, failure_reason says why. If state is no_match or rejected, correct the version or build in the declaration on the MDM server. If state is unknown, nothing is known to be broken; see mdm_health_status.
WITH problems AS (
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
  WHERE source IN ('ddm_state', 'system_version') AND state <> 'ok'
)
SELECT
  CASE
    WHEN p.state IS NULL THEN 'PASS'
    WHEN p.state = 'unknown' AND (p.reason IN ('log_unreadable', 'log_empty', 'enrollment_unknown', 'identities_unknown', 'certificates_unknown') OR p.reason LIKE '%\_error' ESCAPE '\') THEN 'ERROR'
    WHEN p.state = 'unknown' THEN 'UNKNOWN'
    ELSE 'FAIL'
  END AS KOLIDE_CHECK_STATUS,
  CASE
    WHEN p.state IS NULL THEN 'Every OS update that is enforced on this Mac is on time, or none is enforced.'
    WHEN p.state = 'unknown' THEN 'Unknown: ' || coalesce(nullif(p.reason, ''), 'no reason is known') || '. The table mdm_health_status says more.'
    ELSE 'macOS ' || coalesce(nullif(p.target_os_version, ''), nullif(p.target_build_version, ''), 'of unknown version') || ' was due at ' || coalesce(nullif(p.target_local_datetime, ''), 'an unknown time') || ': ' || coalesce(nullif(p.failure_reason, ''), p.reason) || '.'
  END AS message,
  p.*
FROM (SELECT 1) LEFT JOIN problems p ON 1;

-- Check: macOS - OS updates make progress
-- Description: Passes if no update of macOS failed, is stalled, or has been under way for a day without a sign of progress. Fails if one has. It does not check whether an update is due. If the answer is unknown, the status is UNKNOWN, or ERROR where something could not be read.
-- For the user: A macOS update failed or has stopped on this Mac. Make room on its disk, connect it to power, restart it, and try again in System Settings, General, Software Update. If it fails again, contact your IT help desk.
-- For admins: If reason is failed, error says why; check free disk space and power, then let the Mac try again. If it makes no progress, restart the Mac; if that does not help, run the report "Restart what is stuck". If state is unknown, nothing is known to be broken; see mdm_health_status.
WITH problems AS (
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
    OR NOT coalesce(log_from <= checked_at - window_seconds AND log_to >= checked_at - 120, 0)
)
SELECT
  CASE
    WHEN p.state IS NULL THEN 'PASS'
    WHEN p.state = 'unknown' AND (p.reason IN ('log_unreadable', 'log_empty', 'enrollment_unknown', 'identities_unknown', 'certificates_unknown') OR p.reason LIKE '%\_error' ESCAPE '\') THEN 'ERROR'
    WHEN p.state = 'unknown' THEN 'UNKNOWN'
    ELSE 'FAIL'
  END AS KOLIDE_CHECK_STATUS,
  CASE
    WHEN p.state IS NULL THEN 'No OS update failed or stopped.'
    WHEN p.state = 'unknown' THEN 'Unknown: ' || coalesce(nullif(p.reason, ''), 'no reason is known') || '. The table mdm_health_status says more.'
    ELSE coalesce(nullif(p.title, ''), nullif(p.version, ''), nullif(p.product_key, ''), 'An OS update') || ' ' || CASE p.reason WHEN 'failed' THEN 'failed' WHEN 'progress_stalled' THEN 'is stalled' ELSE 'shows no progress for a day' END || ' (phase ' || p.phase || coalesce(', ' || nullif(p.error, ''), '') || ').'
  END AS message,
  p.*
FROM (SELECT 1) LEFT JOIN problems p ON 1;
