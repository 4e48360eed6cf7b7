-- name: mdm-other-server
-- kind: incident
-- platform: darwin
-- report: Macs that are enrolled in another MDM server than ours
-- description: A row if this Mac is enrolled in another server than the one in the first lines, or under another push
--   topic, and one with the answer unknown if neither is known. Put your own server and topic there first:
--   SELECT server_url, topic FROM mdm_enrollment shows both on a Mac that is enrolled rightly.
WITH ours(server_url, topic) AS (
  VALUES ('https://mdm.example.com/mdm', 'com.apple.mgmt.External.11111111-2222-3333-4444-555555555555')
),
asked AS (
  SELECT
    e.state, nullif(e.server_url, '') AS server_url, nullif(e.topic, '') AS topic,
    rtrim(lower(e.server_url), '/') <> rtrim(lower(o.server_url), '/') AND e.server_url <> '' AS other_server,
    lower(e.topic) <> lower(o.topic) AND e.topic <> '' AS other_topic
  FROM mdm_enrollment e CROSS JOIN ours o
)
SELECT
  CASE
    WHEN state = 'not_enrolled' THEN 'not_enrolled'
    WHEN other_server THEN 'other_server'
    WHEN other_topic THEN 'other_topic'
    ELSE 'unknown'
  END AS answer,
  server_url, topic
FROM asked
WHERE state = 'not_enrolled' OR other_server OR other_topic OR (server_url IS NULL AND topic IS NULL);
