-- Current is kept beside the power of sessions whose tariff asks for it.

-- Millionths of an A, all phases together. Where it is known and the power is not, `power` is -1.
ALTER TABLE session_power ADD COLUMN amps BIGINT;
