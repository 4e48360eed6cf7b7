-- name: attribute-os-update
-- kind: attribute
-- platform: darwin
-- attribute: OS update
-- description: The version and phase of the update of macOS that was last at work, such as "26.1: downloading 45 %", or none.
-- type: string
SELECT coalesce(
  (
    SELECT coalesce(nullif(version, ''), nullif(build, ''), 'an update') || ': ' || phase || coalesce(' ' || percent || ' %', '')
    FROM os_update_status
    WHERE coalesce(kind, '') NOT IN ('config_data', 'app')
    ORDER BY coalesce(last_event_at, 0) DESC
    LIMIT 1
  ),
  'none'
) AS value;
