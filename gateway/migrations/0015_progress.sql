-- What every meter value changes of a running session stands in a small row of its own. The row of the session, with all by which it is found and
-- what it began with, is written when something else changes; then this one goes.

-- JSON: how the session stands. In rows from before, member `track` of `document`.
ALTER TABLE session ADD COLUMN track TEXT;

CREATE TABLE session_progress (
    org             TEXT   NOT NULL,
    session         TEXT   NOT NULL,
    energy          BIGINT,
    last_reading_at BIGINT,
    flags           TEXT   NOT NULL,
    track           TEXT   NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (org, session)
);

-- Sessions as they stand now.
CREATE VIEW session_now AS
SELECT s.org, s.id, s.site, s.charger, s.evse, s.connector, s.token, s.driver, s.groups_doc, s.contract, s.transaction_ref, s.plugged_in, s.started_at,
    s.charging_started, s.charging_ended, s.stopped_at, s.unplugged, s.status, s.seller, s.tariff_name, s.tariff_version, s.shown, s.currency,
    s.ceiling_minor, s.billing, s.document, s.created_at, s.hold, s.hold_reason, s.hold_by, s.hold_at,
    CASE WHEN p.session IS NULL THEN s.energy ELSE p.energy END AS energy,
    CASE WHEN p.session IS NULL THEN s.last_reading_at ELSE p.last_reading_at END AS last_reading_at,
    COALESCE(p.flags, s.flags) AS flags, COALESCE(p.track, s.track) AS track, COALESCE(p.updated_at, s.updated_at) AS updated_at
FROM session s LEFT JOIN session_progress p ON p.org = s.org AND p.session = s.id;
