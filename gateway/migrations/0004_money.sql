-- The ledger: double entry, in the books of each seller. Rows of both tables are written once and never changed; a mistake is
-- taken back by a counter-entry. `source` names what an entry records, so that it is booked once.
CREATE TABLE ledger_entry (
    org       TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    source    TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    seller    TEXT   NOT NULL,
    debtor    TEXT,
    bill      TEXT,
    payment   TEXT,
    reverses  TEXT,
    at        BIGINT NOT NULL,
    booked_at BIGINT NOT NULL,
    document  TEXT   NOT NULL,
    hash      TEXT   NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX ledger_entry_source ON ledger_entry (org, source);
CREATE INDEX ledger_entry_time ON ledger_entry (org, at, id);
CREATE INDEX ledger_entry_booked ON ledger_entry (org, booked_at);
CREATE INDEX ledger_entry_bill ON ledger_entry (org, bill) WHERE bill IS NOT NULL;

-- Debit is positive. The lines of an entry add up to zero in every currency.
CREATE TABLE ledger_line (
    org      TEXT   NOT NULL,
    entry    TEXT   NOT NULL,
    line     BIGINT NOT NULL,
    seller   TEXT   NOT NULL,
    account  TEXT   NOT NULL,
    owner    TEXT   NOT NULL,
    currency TEXT   NOT NULL,
    amount   BIGINT NOT NULL,
    PRIMARY KEY (org, entry, line)
);
CREATE INDEX ledger_line_account ON ledger_line (org, seller, account, owner, currency, amount);

-- Saved cards and agreements: what a debtor pays with without being asked.
CREATE TABLE instrument (
    org        TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    debtor     TEXT   NOT NULL,
    plugin     TEXT   NOT NULL,
    status     TEXT   NOT NULL,
    theirs     TEXT,
    label      TEXT,
    next       TEXT,
    failure    TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX instrument_debtor ON instrument (org, debtor, plugin, created_at);

-- A payment of a bill: what was asked for, and what the provider says became of it.
CREATE TABLE payment (
    org        TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    bill       TEXT   NOT NULL,
    session    TEXT,
    seller     TEXT   NOT NULL,
    debtor     TEXT   NOT NULL,
    plugin     TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    amount     BIGINT NOT NULL,
    status     TEXT   NOT NULL,
    captured   BIGINT NOT NULL,
    refunded   BIGINT NOT NULL,
    theirs     TEXT,
    next       TEXT,
    failure    TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX payment_bill ON payment (org, bill, created_at);
CREATE INDEX payment_session ON payment (org, session) WHERE session IS NOT NULL;
CREATE INDEX payment_time ON payment (org, created_at, id);

-- What is to be asked of others, written with what causes it. `place` is the order of one debtor.
CREATE TABLE outbox (
    org         TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    source      TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    idempotency TEXT   NOT NULL,
    debtor      TEXT   NOT NULL,
    place       BIGINT NOT NULL,
    plugin      TEXT   NOT NULL,
    version     TEXT,
    sha256      TEXT,
    subject     TEXT   NOT NULL,
    request     TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    attempt     BIGINT NOT NULL,
    failures    BIGINT NOT NULL,
    called      BIGINT NOT NULL,
    taken       BIGINT NOT NULL,
    theirs      TEXT,
    next_at     BIGINT,
    since       BIGINT NOT NULL,
    code        TEXT,
    detail      TEXT,
    created_at  BIGINT NOT NULL,
    created_by  TEXT   NOT NULL,
    updated_at  BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX outbox_source ON outbox (org, source);
CREATE INDEX outbox_due ON outbox (org, plugin, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_open ON outbox (org, debtor, place) WHERE finished_at IS NULL;
CREATE INDEX outbox_subject ON outbox (org, subject, place);
CREATE INDEX outbox_theirs ON outbox (org, plugin, theirs) WHERE theirs IS NOT NULL;

CREATE TABLE outbox_queue (
    org    TEXT   NOT NULL,
    debtor TEXT   NOT NULL,
    last   BIGINT NOT NULL,
    PRIMARY KEY (org, debtor)
);
