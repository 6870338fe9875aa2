-- Whoever was signed out reads their receipt to support. Rows that have not ended have none and are not in it, and no
-- rotation touches it.
CREATE INDEX session_by_receipt ON session (receipt) WHERE receipt IS NOT NULL;
