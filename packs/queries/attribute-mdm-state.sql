-- name: attribute-mdm-state
-- kind: attribute
-- platform: darwin
-- attribute: MDM client
-- description: The verdict on the MDM client and its reason, such as "ok: recent_success" or "stuck: command_hung".
-- type: string
SELECT state || coalesce(': ' || nullif(reason, ''), '') AS value FROM mdm_watchdog;
