-- What each charger has been told of the set-up: its meter value interval, who may charge while it is offline.
CREATE TABLE charger_told (
    org     TEXT   NOT NULL,
    charger TEXT   NOT NULL,
    hash    TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (org, charger)
);
