-- name: mdm-health-installed
-- kind: installed
-- platform: darwin
-- policy: macOS - mdm-health is installed
-- passes: Passes if osquery has the tables of mdm-health, and if the program is there but osquery started less than 15
--   minutes ago. Fails otherwise.
-- resolution: A program of your IT team is missing on this Mac or does not run. If this message is
--   still here tomorrow, contact your IT help desk.
-- admin: Install the package. If it is installed, restart osqueryd (orbit with Fleet), which reads extensions.load only
--   when it starts.
SELECT 1
WHERE EXISTS (SELECT 1 FROM osquery_registry WHERE registry = 'table' AND name = 'mdm_watchdog' AND active = 1)
  OR (
    EXISTS (
      SELECT 1 FROM file
      WHERE path IN ('/usr/local/mdm-health/mdm_health.ext', '/var/fleet/extensions/mdm_health.ext')
    )
    AND EXISTS (SELECT 1 FROM osquery_info WHERE start_time > CAST(strftime('%s', 'now') AS INTEGER) - 900)
  );
