-- Files and answers that brought values of metering points.
CREATE TABLE meter_receipt (
    org         TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    received_at BIGINT NOT NULL,
    received_by TEXT   NOT NULL,
    plugin      TEXT   NOT NULL,
    version     TEXT   NOT NULL,
    source      TEXT   NOT NULL,
    PRIMARY KEY (org, id)
);
-- Their values, as they came. Nothing is written over: what a later receipt covers stays, with the receipt that replaced it.
CREATE TABLE meter_value (
    org         TEXT   NOT NULL,
    point       TEXT   NOT NULL,
    direction   TEXT   NOT NULL,
    from_at     BIGINT NOT NULL,
    until_at    BIGINT NOT NULL,
    kwh         TEXT   NOT NULL,
    quality     TEXT   NOT NULL,
    receipt     TEXT   NOT NULL,
    replaced_by TEXT,
    PRIMARY KEY (org, point, direction, from_at, receipt)
);
CREATE INDEX meter_value_receipt ON meter_value (org, receipt);
-- What the electricity of a site cost in a month, every time it was said. `document` is a JSON list of costs.
CREATE TABLE plant_cost (
    org        TEXT   NOT NULL,
    site       TEXT   NOT NULL,
    month      TEXT   NOT NULL,
    revision   BIGINT NOT NULL,
    currency   TEXT   NOT NULL,
    document   TEXT   NOT NULL,
    entered_at BIGINT NOT NULL,
    entered_by TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    PRIMARY KEY (org, site, month, revision)
);
