-- name: attribute-mdm-identity-expires
-- kind: attribute
-- platform: darwin
-- attribute: MDM identity, expires
-- description: When the certificate of the MDM identity expires, in UTC. Empty if it is not known which one that is.
-- type: date
SELECT coalesce(datetime(min(not_after), 'unixepoch'), '') AS value FROM mdm_identity WHERE is_mdm_identity = 1;
