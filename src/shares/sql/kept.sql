-- When a delivery was done: ns since 1970, UTC; 0: at another time than this was kept.
ALTER TABLE delivery ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
CREATE INDEX delivery_event ON delivery(sequence);
