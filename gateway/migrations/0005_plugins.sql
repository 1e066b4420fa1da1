-- What plugins keep: names and values, each plugin its own. Names are in hex, so that all databases sort them by their bytes, and
-- values in base64; `size` is the bytes of both before that.
CREATE TABLE plugin_value (
    org    TEXT   NOT NULL,
    plugin TEXT   NOT NULL,
    name   TEXT   NOT NULL,
    value  TEXT   NOT NULL,
    size   BIGINT NOT NULL,
    PRIMARY KEY (org, plugin, name)
);
