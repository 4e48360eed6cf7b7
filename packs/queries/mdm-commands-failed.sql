-- name: mdm-commands-failed
-- kind: report
-- platform: darwin
-- interval: 3600
-- report: MDM commands that failed
-- description: The MDM commands that this Mac answered with Error or CommandFormatError, with the first error of the
--   chain. A failed command does not mean that the Mac is unhealthy, so there is no policy.
SELECT request_type, command_uuid, channel, responded_at, status, error_domain, error_code, error_message
FROM mdm_commands_recent
WHERE status IN ('Error', 'CommandFormatError');
