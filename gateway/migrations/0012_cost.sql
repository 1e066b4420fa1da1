-- A price that was taken back counts for nobody any more but the bills that were made with it.
ALTER TABLE price_point ADD COLUMN withdrawn_at BIGINT;

-- What a cost price in force was worked out from: the energy that the site's meters saw in the month, in millionths of a kWh. No more can have
-- been charged there.
CREATE TABLE plant_month (
    org        TEXT   NOT NULL,
    site       TEXT   NOT NULL,
    month      TEXT   NOT NULL,
    from_at    BIGINT NOT NULL,
    to_at      BIGINT NOT NULL,
    metered    BIGINT NOT NULL,
    settled_at BIGINT NOT NULL,
    PRIMARY KEY (org, site, month)
);
