-- name: mdm-heal-ledger
-- kind: report
-- platform: darwin
-- interval: 3600
-- report: Requests to restart a stuck daemon
-- description: Every finished request to heal this Mac, including refused ones: who asked for it and what the outcome
--   was. Once logged, a request stays in the fleet's log, whatever happens to the Mac.
SELECT
  id, requested_at, finished_at, action, reason, force, dry_run, outcome, method, pid_before, pid_after, exit_code, detail,
  next_allowed_at
FROM mdm_heal
WHERE coalesce(outcome, '') <> 'running';
