-- The whole storage of the gateway, for SQLite and PostgreSQL alike.
--
-- Only BIGINT and TEXT: times are milliseconds UTC, energy millionths of a kWh, power millionths of a kW, money minor units beside a currency,
-- yes and no are 1 and 0, documents are JSON text. NUMERIC and REAL would turn amounts into binary fractions.
-- Every table begins with the organisation, and so does every key. There are no foreign keys: what a charger reports comes in any order and is kept,
-- and a bill outlives the rows about people.

CREATE TABLE org (
    org        TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

-- Last given number of each sequence of an organisation.
CREATE TABLE sequence (
    org   TEXT   NOT NULL,
    name  TEXT   NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (org, name)
);

CREATE TABLE setup_version (
    org        TEXT   NOT NULL,
    seq        BIGINT NOT NULL,
    hash       TEXT   NOT NULL,
    document   TEXT   NOT NULL,
    applied_at BIGINT NOT NULL,
    applied_by TEXT   NOT NULL,
    PRIMARY KEY (org, seq)
);

CREATE TABLE tariff_version (
    org           TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    version       TEXT   NOT NULL,
    bundle        TEXT   NOT NULL,
    in_force_from BIGINT NOT NULL,
    added_at      BIGINT NOT NULL,
    added_by      TEXT   NOT NULL,
    PRIMARY KEY (org, name, in_force_from, version)
);
CREATE INDEX tariff_version_hash ON tariff_version (org, version);

CREATE TABLE api_key (
    org          TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    role         TEXT   NOT NULL,
    hash         TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT,
    PRIMARY KEY (org, id)
);

CREATE TABLE audit (
    org        TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    who        TEXT   NOT NULL,
    what       TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    before_doc TEXT,
    after_doc  TEXT,
    PRIMARY KEY (org, id)
);
CREATE INDEX audit_subject ON audit (org, subject, id);

CREATE TABLE charger (
    org          TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    registration TEXT   NOT NULL,
    protocol     TEXT,
    vendor       TEXT,
    model        TEXT,
    serial       TEXT,
    firmware     TEXT,
    last_boot    BIGINT,
    last_seen    BIGINT,
    skew_ms      BIGINT,
    profile      TEXT,
    node         TEXT,
    connection   TEXT,
    connected_at BIGINT,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);
-- The door: a charger knocks with its identity alone.
CREATE INDEX charger_door ON charger (id, org);

CREATE TABLE connector (
    org         TEXT   NOT NULL,
    charger     TEXT   NOT NULL,
    evse        BIGINT NOT NULL,
    connector   BIGINT NOT NULL,
    status      TEXT   NOT NULL,
    error       TEXT,
    since       BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (org, charger, evse, connector)
);

CREATE TABLE station_variable (
    org         TEXT   NOT NULL,
    charger     TEXT   NOT NULL,
    component   TEXT   NOT NULL,
    variable    TEXT   NOT NULL,
    attribute   TEXT   NOT NULL,
    value       TEXT,
    document    TEXT,
    reported_at BIGINT NOT NULL,
    PRIMARY KEY (org, charger, component, variable, attribute)
);

CREATE TABLE local_list (
    org        TEXT   NOT NULL,
    charger    TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    status     TEXT   NOT NULL,
    document   TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (org, charger)
);

CREATE TABLE frame (
    org        TEXT   NOT NULL,
    charger    TEXT   NOT NULL,
    seq        BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    direction  TEXT   NOT NULL,
    connection TEXT,
    body       TEXT   NOT NULL,
    PRIMARY KEY (org, charger, seq)
);
CREATE INDEX frame_age ON frame (org, at);

CREATE TABLE frame_ring (
    org     TEXT   NOT NULL,
    charger TEXT   NOT NULL,
    last    BIGINT NOT NULL,
    PRIMARY KEY (org, charger)
);

CREATE TABLE station_fact (
    org         TEXT   NOT NULL,
    charger     TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    station_at  BIGINT,
    received_at BIGINT NOT NULL,
    dedupe      TEXT,
    document    TEXT   NOT NULL,
    session     TEXT,
    answer      TEXT,
    PRIMARY KEY (org, charger, id)
);
CREATE UNIQUE INDEX station_fact_dedupe ON station_fact (org, charger, dedupe);
CREATE INDEX station_fact_session ON station_fact (org, session, id) WHERE session IS NOT NULL;
CREATE INDEX station_fact_loose ON station_fact (org, received_at) WHERE session IS NULL;

CREATE TABLE session (
    org              TEXT   NOT NULL,
    id               TEXT   NOT NULL,
    site             TEXT,
    charger          TEXT   NOT NULL,
    evse             BIGINT NOT NULL,
    connector        BIGINT,
    token            TEXT,
    driver           TEXT,
    groups_doc       TEXT   NOT NULL,
    contract         TEXT,
    transaction_ref  TEXT,
    plugged_in       BIGINT NOT NULL,
    started_at       BIGINT,
    charging_started BIGINT,
    charging_ended   BIGINT,
    stopped_at       BIGINT,
    unplugged        BIGINT,
    status           TEXT   NOT NULL,
    flags            TEXT   NOT NULL,
    energy           BIGINT,
    last_reading_at  BIGINT,
    seller           TEXT,
    tariff_name      TEXT,
    tariff_version   TEXT,
    shown            TEXT,
    currency         TEXT,
    ceiling_minor    BIGINT,
    billing          TEXT   NOT NULL,
    document         TEXT   NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    hold             BIGINT NOT NULL,
    hold_reason      TEXT,
    hold_by          TEXT,
    hold_at          BIGINT,
    PRIMARY KEY (org, id)
);
CREATE INDEX session_transaction ON session (org, charger, transaction_ref);
CREATE INDEX session_running ON session (org, charger, plugged_in, id) WHERE status = 'running';
CREATE INDEX session_due ON session (org, plugged_in, id) WHERE billing = 'due';
CREATE INDEX session_held ON session (org, plugged_in, id) WHERE hold = 1;
CREATE INDEX session_time ON session (org, plugged_in, id);
CREATE INDEX session_charger ON session (org, charger, plugged_in, id);
CREATE INDEX session_driver ON session (org, driver, plugged_in, id) WHERE driver IS NOT NULL;
CREATE INDEX session_site ON session (org, site, plugged_in, id) WHERE site IS NOT NULL;

CREATE TABLE session_reading (
    org         TEXT   NOT NULL,
    session     TEXT   NOT NULL,
    seq         BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    imported    BIGINT NOT NULL,
    exported    BIGINT,
    segment     BIGINT NOT NULL,
    context     TEXT,
    PRIMARY KEY (org, session, seq)
);

CREATE TABLE session_state (
    org         TEXT   NOT NULL,
    session     TEXT   NOT NULL,
    seq         BIGINT NOT NULL,
    from_at     BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    state       TEXT   NOT NULL,
    PRIMARY KEY (org, session, seq)
);

CREATE TABLE session_power (
    org         TEXT   NOT NULL,
    session     TEXT   NOT NULL,
    seq         BIGINT NOT NULL,
    from_at     BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    power       BIGINT NOT NULL,
    PRIMARY KEY (org, session, seq)
);

CREATE TABLE session_occupancy (
    org      TEXT   NOT NULL,
    session  TEXT   NOT NULL,
    seq      BIGINT NOT NULL,
    from_at  BIGINT NOT NULL,
    occupied BIGINT NOT NULL,
    of_all   BIGINT NOT NULL,
    PRIMARY KEY (org, session, seq)
);

CREATE TABLE signed_value (
    org         TEXT   NOT NULL,
    session     TEXT   NOT NULL,
    seq         BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    format      TEXT   NOT NULL,
    context     TEXT,
    public_key  TEXT,
    body        TEXT   NOT NULL,
    PRIMARY KEY (org, session, seq)
);

CREATE TABLE bill_series (
    org    TEXT   NOT NULL,
    seller TEXT   NOT NULL,
    series TEXT   NOT NULL,
    last   BIGINT NOT NULL,
    PRIMARY KEY (org, seller, series)
);

-- Rows of this table are written once and never changed.
CREATE TABLE bill (
    org       TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    session   TEXT,
    seller    TEXT   NOT NULL,
    series    TEXT   NOT NULL,
    number    BIGINT NOT NULL,
    kind      TEXT   NOT NULL,
    revision  BIGINT NOT NULL,
    corrects  TEXT,
    issued_at BIGINT NOT NULL,
    status    TEXT   NOT NULL,
    currency  TEXT   NOT NULL,
    total     BIGINT NOT NULL,
    hashes    TEXT   NOT NULL,
    document  TEXT   NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX bill_number ON bill (org, seller, series, number);
CREATE UNIQUE INDEX bill_revision ON bill (org, session, revision);
CREATE INDEX bill_time ON bill (org, issued_at, id);

CREATE TABLE preview (
    org        TEXT   NOT NULL,
    session    TEXT   NOT NULL,
    document   TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (org, session)
);

CREATE TABLE preview_wait (
    org      TEXT   NOT NULL,
    session  TEXT   NOT NULL,
    feed     TEXT   NOT NULL,
    area     TEXT   NOT NULL,
    until_at BIGINT NOT NULL,
    PRIMARY KEY (org, session, feed, area)
);
CREATE INDEX preview_wait_feed ON preview_wait (org, feed, area, until_at);

CREATE TABLE standing (
    org        TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    posting    BIGINT NOT NULL,
    document   TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (org, scope)
);

CREATE TABLE standing_posting (
    org     TEXT   NOT NULL,
    scope   TEXT   NOT NULL,
    posting BIGINT NOT NULL,
    bill    TEXT   NOT NULL,
    opening TEXT   NOT NULL,
    closing TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (org, scope, posting)
);
CREATE INDEX standing_posting_bill ON standing_posting (org, bill);

CREATE TABLE price_point (
    org          TEXT   NOT NULL,
    feed         TEXT   NOT NULL,
    area         TEXT   NOT NULL,
    from_at      BIGINT NOT NULL,
    to_at        BIGINT NOT NULL,
    published    BIGINT NOT NULL,
    price        TEXT   NOT NULL,
    unit         TEXT   NOT NULL,
    vat_included BIGINT NOT NULL,
    source       TEXT   NOT NULL,
    received_at  BIGINT NOT NULL,
    PRIMARY KEY (org, feed, area, from_at, published)
);
CREATE INDEX price_point_end ON price_point (org, feed, area, to_at);

CREATE TABLE incident (
    org       TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    charger   TEXT,
    subject   TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    severity  TEXT   NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    document  TEXT   NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX incident_open ON incident (org, subject, kind) WHERE closed_at IS NULL;
CREATE INDEX incident_time ON incident (org, opened_at, id);
CREATE INDEX incident_charger ON incident (org, charger, opened_at, id) WHERE charger IS NOT NULL;

CREATE TABLE incident_event (
    org      TEXT   NOT NULL,
    incident TEXT   NOT NULL,
    seq      BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    document TEXT   NOT NULL,
    PRIMARY KEY (org, incident, seq)
);

CREATE TABLE command (
    org         TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    charger     TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    status      TEXT   NOT NULL,
    document    TEXT   NOT NULL,
    outcome     TEXT,
    message_id  TEXT,
    created_at  BIGINT NOT NULL,
    created_by  TEXT   NOT NULL,
    expires_at  BIGINT,
    sent_at     BIGINT,
    finished_at BIGINT,
    PRIMARY KEY (org, id)
);
CREATE INDEX command_charger ON command (org, charger, id);
CREATE INDEX command_open ON command (org, charger, id) WHERE finished_at IS NULL;
CREATE INDEX command_finished ON command (org, finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE event (
    org      TEXT   NOT NULL,
    seq      BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    subject  TEXT   NOT NULL,
    document TEXT   NOT NULL,
    PRIMARY KEY (org, seq)
);
CREATE INDEX event_age ON event (org, at);

CREATE TABLE driver (
    org        TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    status     TEXT   NOT NULL,
    groups_doc TEXT   NOT NULL,
    document   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);

-- The only place for personal data; a row is deleted without touching anything else.
CREATE TABLE person (
    org        TEXT   NOT NULL,
    driver     TEXT   NOT NULL,
    name       TEXT,
    email      TEXT,
    phone      TEXT,
    document   TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (org, driver)
);

CREATE TABLE token (
    org        TEXT   NOT NULL,
    uid_key    TEXT   NOT NULL,
    uid        TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    parent     TEXT,
    status     TEXT   NOT NULL,
    expires_at BIGINT,
    driver     TEXT,
    contract   TEXT,
    groups_doc TEXT   NOT NULL,
    document   TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (org, uid_key)
);
CREATE INDEX token_driver ON token (org, driver, uid_key) WHERE driver IS NOT NULL;
