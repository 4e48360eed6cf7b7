-- name: attribute-mdm-last-success
-- kind: attribute
-- platform: darwin
-- attribute: MDM client, last success
-- description: When the MDM server last accepted a request of this Mac, in UTC. Empty if the log does not show it.
-- type: date
SELECT coalesce(datetime(last_success_at, 'unixepoch'), '') AS value FROM mdm_watchdog;
