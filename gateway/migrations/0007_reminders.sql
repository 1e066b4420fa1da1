-- What a debtor was reminded of. `token` is the part of the link that nobody can guess; `bills` is a JSON list of ids.
CREATE TABLE reminder (
    org          TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    token        TEXT   NOT NULL,
    debtor       TEXT   NOT NULL,
    bills        TEXT   NOT NULL,
    language     TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    cancelled_at BIGINT,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX reminder_token ON reminder (org, token);
CREATE INDEX reminder_debtor ON reminder (org, debtor, created_at);
CREATE INDEX reminder_time ON reminder (org, created_at, id);
