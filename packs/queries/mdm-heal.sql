-- name: mdm-heal
-- kind: incident
-- platform: darwin
-- report: Restart what is stuck
-- description: Asks mdm-health to restart what is stuck on this Mac, within its limits, and shows the outcome. Where
--   nothing is stuck, the outcome is nothing_to_do. A refusal fails the query with a sentence that names the limit.
--   Replace INC-42, in both places, by your ticket number. Never schedule this query.
INSERT INTO mdm_heal(action, reason) VALUES ('heal', 'INC-42');
SELECT id, action, reason, outcome, method, pid_before, pid_after, detail, next_allowed_at
FROM mdm_heal
WHERE reason LIKE '%INC-42'
ORDER BY id DESC;
