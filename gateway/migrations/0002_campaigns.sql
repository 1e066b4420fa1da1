-- Firmware campaigns: which chargers get new firmware, and how far each has come.
CREATE TABLE campaign (
    org        TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    status     TEXT   NOT NULL,
    reason     TEXT,
    forgiven   BIGINT NOT NULL,
    plan       TEXT   NOT NULL,
    seen       BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX campaign_open ON campaign (org, id) WHERE status IN ('running', 'halted');

CREATE TABLE campaign_charger (
    org        TEXT   NOT NULL,
    campaign   TEXT   NOT NULL,
    charger    TEXT   NOT NULL,
    status     TEXT   NOT NULL,
    told       TEXT,
    since      BIGINT NOT NULL,
    PRIMARY KEY (org, campaign, charger)
);
