-- name: mdm-sources-trouble
-- kind: policy
-- platform: darwin
-- interval: 3600
-- report: Macs on which mdm-health cannot read everything
-- description: A row for each log, command or file that could not be read, or only in part; the other tables report
--   unknown for whatever depends on it. Reading only the end of a long install.log is normal and gives no row.
-- policy: macOS - mdm-health can read all that it needs
-- passes: Passes if mdm-health could read every source of evidence completely. Fails if it could not.
-- resolution: Run SELECT source, state, reason, detail FROM mdm_health_status WHERE state <> 'ok' on the Mac; detail
--   says what to do. Most often the program that starts mdm-health does not run as root or has no Full Disk Access.
SELECT source, state, reason
FROM mdm_health_status
WHERE coalesce(state, 'unknown') <> 'ok' AND coalesce(reason, '') <> 'end_only';
