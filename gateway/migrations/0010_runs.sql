-- What chargers report is written where the last report was written, not at a place of each charger.

-- Raw frames: a few of a charger in one row. A line of the text is a frame: time, direction, connection, and the body, with tabs between them;
-- `\` and the end of a line stand in a body as `\\` and `\n`. A connection that is not known is empty.
ALTER TABLE frame RENAME TO frame_old;
CREATE TABLE frame_run (
    org      TEXT   NOT NULL,
    charger  TEXT   NOT NULL,
    last_seq BIGINT NOT NULL,
    frames   BIGINT NOT NULL,
    from_at  BIGINT NOT NULL,
    to_at    BIGINT NOT NULL,
    lines    TEXT   NOT NULL,
    PRIMARY KEY (org, charger, last_seq)
);
CREATE INDEX frame_run_age ON frame_run (org, to_at);
INSERT INTO frame_run (org, charger, last_seq, frames, from_at, to_at, lines)
SELECT org, charger, seq, 1, at, at,
    CAST(at AS TEXT) || '	' || direction || '	' || COALESCE(connection, '') || '	' || replace(replace(body, '\', '\\'), '
', '\n')
FROM frame_old;
DROP TABLE frame_old;

-- Facts: the key begins with what sorts in the order of receipt. A fact of a charger is found by what makes two reports the same.
-- The old tables get other names first: on PostgreSQL nobody writes to them any more from then on.
ALTER TABLE station_fact RENAME TO station_fact_old;
CREATE TABLE station_fact (
    org         TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    charger     TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    station_at  BIGINT,
    received_at BIGINT NOT NULL,
    dedupe      TEXT,
    document    TEXT   NOT NULL,
    session     TEXT,
    answer      TEXT,
    PRIMARY KEY (org, id)
);
INSERT INTO station_fact (org, id, charger, kind, station_at, received_at, dedupe, document, session, answer)
SELECT org, id, charger, kind, station_at, received_at, dedupe, document, session, answer FROM station_fact_old;
DROP TABLE station_fact_old;
CREATE UNIQUE INDEX station_fact_dedupe ON station_fact (org, charger, dedupe);
CREATE INDEX station_fact_session ON station_fact (org, session, id) WHERE session IS NOT NULL;
CREATE INDEX station_fact_loose ON station_fact (org, received_at) WHERE session IS NULL;
