-- name: mdm-enrollment-circumvented
-- kind: report
-- platform: darwin
-- interval: 14400
-- report: Macs on which somebody may keep MDM out
-- description: A row for each sign that MDM is kept out of this Mac. The hosts file gives the MDM server or Apple's
--   enrollment or push hosts another address, or what the Mac notes of its record at Apple contradicts itself. Both can have
--   an honest cause; detail says what was found.
SELECT source, reason, detail
FROM mdm_health_status
WHERE reason IN ('mdm_hosts_overridden', 'markers_contradict');
