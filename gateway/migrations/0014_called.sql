-- Letters in either case name the same charger: one that knocks for the first time is looked for among all of them.
CREATE INDEX charger_called ON charger (org, lower(id));
