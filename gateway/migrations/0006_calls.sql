-- What the other side of a plugin has told at its address here: an event that came before is dropped. `id` is a hash of the other side's
-- own name for it.
CREATE TABLE plugin_event (
    org    TEXT   NOT NULL,
    plugin TEXT   NOT NULL,
    id     TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (org, plugin, id)
);
CREATE INDEX plugin_event_time ON plugin_event (org, at);
