-- name: mdm-heal
-- kind: incident
-- platform: darwin
-- report: Restart what is stuck
-- description: Asks mdm-health to restart what is stuck on this Mac, within its limits, and shows the outcome. A
--   refusal fails the query with a sentence that names the limit. Replace incident by a ticket number. Never schedule
--   this query.
INSERT INTO mdm_heal(action, reason) VALUES ('heal', 'incident');
SELECT id, action, reason, outcome, method, pid_before, pid_after, detail, next_allowed_at
FROM mdm_heal
ORDER BY id DESC
LIMIT 3;
