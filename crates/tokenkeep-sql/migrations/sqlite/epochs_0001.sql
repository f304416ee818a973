-- Epochs: a handful of rows. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE tokenkeep_epoch (
    id BLOB NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    wraps_reserved INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    state_since INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX tokenkeep_epoch_active ON tokenkeep_epoch (state) WHERE state = 'active';
