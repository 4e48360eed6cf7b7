-- name: mdm-heal-ledger
-- kind: report
-- platform: darwin
-- interval: 3600
-- report: Requests to restart a stuck daemon
-- description: Every request to heal this Mac that came to an end, refused ones too, who asked for it and what came of it. Once
--   logged, a request stays in the log of the fleet, whatever becomes of the Mac.
SELECT
  id, requested_at, finished_at, action, reason, force, dry_run, outcome, method, pid_before, pid_after, exit_code, detail,
  next_allowed_at
FROM mdm_heal
WHERE coalesce(outcome, '') <> 'running';
