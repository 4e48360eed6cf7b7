-- name: mdm-enrollment-unsound
-- kind: policy
-- platform: darwin
-- interval: 14400
-- report: Macs that are not enrolled in MDM, or not soundly
-- description: A row if the Mac is not enrolled, was enrolled by hand and never approved, if its own sources disagree
--   on its enrollment, or if the answer is unknown; reason and detail say which.
-- policy: macOS - Enrolled in MDM and approved
-- passes: Passes if this Mac is enrolled in an MDM by Automated Device Enrollment or with a user's approval, and
--   its sources agree on that. Fails otherwise.
-- resolution: Your Mac is not managed by your organization, or its management was never approved. Open System Settings,
--   search for "Device Management", and approve the profile there. If there is none, contact your IT help desk.
-- admin: If state is not_enrolled, enroll the Mac. If reason is not_user_approved, have the user approve the profile in
--   System Settings, under Device Management. If the sources disagree, detail says on what; enroll the Mac again. If
--   state is unknown, nothing is known to be broken; see mdm_health_status.
-- well: This Mac is enrolled in an MDM, and the enrollment was approved.
-- fault: coalesce(nullif(p.detail, ''), 'The state of the enrollment is ' || p.state || ', the reason ' || p.reason || '.')
-- fleet: critical
SELECT state, reason, detail, server_url, enrolled_via_dep, user_approved
FROM mdm_enrollment
WHERE coalesce(nullif(state, ''), 'unknown') <> 'enrolled'
  OR reason IN ('not_user_approved', 'approval_unknown')
  OR sources_agree = 0;
