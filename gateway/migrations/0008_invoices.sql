-- How a bill reaches whoever pays it by invoice: one row for each bill and credit note that is sent so. Who the payer is stands in `person` only;
-- `terms` is what the set-up said on the day of the bill.
CREATE TABLE invoice (
    org        TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    bill       TEXT   NOT NULL,
    session    TEXT,
    seller     TEXT   NOT NULL,
    debtor     TEXT   NOT NULL,
    number     TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    corrects   TEXT,
    currency   TEXT   NOT NULL,
    amount     BIGINT NOT NULL,
    issued     TEXT   NOT NULL,
    due        TEXT,
    reference  TEXT,
    terms      TEXT   NOT NULL,
    status     TEXT   NOT NULL,
    way        TEXT   NOT NULL,
    reason     TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX invoice_bill ON invoice (org, bill);
CREATE INDEX invoice_session ON invoice (org, session) WHERE session IS NOT NULL;
CREATE INDEX invoice_time ON invoice (org, created_at, id);

-- The last number that a payment reference (KID) was made of, for each account that is paid to: the bank tells payments apart by it.
CREATE TABLE invoice_reference (
    org     TEXT   NOT NULL,
    account TEXT   NOT NULL,
    last    BIGINT NOT NULL,
    PRIMARY KEY (org, account)
);
