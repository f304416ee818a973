-- Epochs: a handful of rows. Times are milliseconds since 1970-01-01 UTC.
DO $$ BEGIN
    IF pg_catalog.to_regnamespace('tokenkeep_epochs') IS NULL THEN
        CREATE SCHEMA tokenkeep_epochs;
    END IF;
END $$;

CREATE TABLE tokenkeep_epochs.migration (
    version bigint NOT NULL PRIMARY KEY,
    needs bigint NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE tokenkeep_epochs.epoch (
    id bytea NOT NULL PRIMARY KEY,
    state text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    sealed bytea NOT NULL,
    wraps_reserved bigint NOT NULL,
    created_at bigint NOT NULL,
    state_since bigint NOT NULL
);

CREATE UNIQUE INDEX epoch_active ON tokenkeep_epochs.epoch (state) WHERE state = 'active';

INSERT INTO tokenkeep_epochs.migration (version, needs) VALUES (1, 1);
