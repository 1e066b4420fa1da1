-- Indexes of the few rows among many that something is still to be done about. SQLite takes such an index only where it answers more of the
-- question than one of all rows does: so the condition is also its first column behind the organisation.

DROP INDEX session_running;
CREATE INDEX session_running ON session (org, status, charger, plugged_in, id) WHERE status = 'running';
DROP INDEX session_due;
CREATE INDEX session_due ON session (org, billing, plugged_in, id) WHERE billing = 'due';
DROP INDEX session_held;
CREATE INDEX session_held ON session (org, hold, plugged_in, id) WHERE hold = 1;
CREATE INDEX incident_now ON incident (org, closed_at, opened_at, id) WHERE closed_at IS NULL;
CREATE INDEX outbox_next ON outbox (org, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_calling ON outbox (org, state, id) WHERE state = 'calling';
