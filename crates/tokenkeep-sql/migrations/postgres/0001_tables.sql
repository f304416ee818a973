-- Times are milliseconds since 1970-01-01 UTC. Text is compared by bytes. Whole numbers are all bigint, as the program reads them.

-- Asked for first: whoever may not make schemas may be given one.
DO $$ BEGIN
    IF pg_catalog.to_regnamespace('tokenkeep') IS NULL THEN
        CREATE SCHEMA tokenkeep;
    END IF;
END $$;

-- What was run. `needs`: the lowest version that a program must know to work with the schema after it.
CREATE TABLE tokenkeep.migration (
    version bigint NOT NULL PRIMARY KEY,
    name text NOT NULL,
    needs bigint NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE tokenkeep.vault (
    only_one bigint NOT NULL PRIMARY KEY CHECK (only_one = 1),
    id bytea NOT NULL
);

CREATE TABLE tokenkeep.vault_key (
    place bigint NOT NULL PRIMARY KEY,
    purpose text COLLATE "C" NOT NULL UNIQUE,
    envelope bytea NOT NULL
);
ALTER TABLE tokenkeep.vault_key ALTER COLUMN envelope SET STORAGE EXTERNAL;

-- Pages are left one third empty, so that the next version of a row finds room beside it and no index is touched (a HOT
-- update): what is indexed beside the key changes with the token alone, `status` with a pause, `probe_until` with a
-- question about one, and `purge` with a disconnect.
CREATE TABLE tokenkeep.connection (
    tenant text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    origin text COLLATE "C" NOT NULL,
    kind bigint NOT NULL,
    incarnation bytea NOT NULL,
    secret_version bigint NOT NULL,
    revision bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    -- The token and whose it is; all NULL in a tombstone.
    kek bytea,
    fingerprint bytea,
    envelope bytea,
    account_id text COLLATE "C",
    account_name text COLLATE "C",
    connected_at bigint NOT NULL,
    token_set_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    expires_at bigint,
    paused_at bigint,
    purge text COLLATE "C" NOT NULL,
    mac bytea NOT NULL,
    -- Who runs a tombstone's hooks, and until when. Not under the MAC: they are no part of the record.
    lease_holder bytea,
    lease_until bigint,
    -- The same of who asks the provider about the token that is held now. What is paused is asked about in the order of
    -- `probe_until`: 0 where nobody asked yet.
    probe_holder bytea,
    probe_until bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, name)
) WITH (fillfactor = 67);
-- What is sealed does not get smaller: no time is spent on trying.
ALTER TABLE tokenkeep.connection ALTER COLUMN envelope SET STORAGE EXTERNAL;

CREATE INDEX connection_kek ON tokenkeep.connection (kek, tenant, name) WHERE kek IS NOT NULL;

CREATE INDEX connection_purge ON tokenkeep.connection (tenant, name) WHERE purge = 'pending';

CREATE INDEX connection_fingerprint ON tokenkeep.connection (fingerprint, tenant, name) WHERE fingerprint IS NOT NULL;

-- By the age of the tokens: what is due to be replaced.
CREATE INDEX connection_age ON tokenkeep.connection (token_set_at, tenant, name) WHERE kek IS NOT NULL;

-- By provider: how many there are, and how many tokens were paused of late, whatever came of it. Of tokens alone (kind 1): what else
-- is kept for a provider is never paused.
CREATE INDEX connection_provider ON tokenkeep.connection (provider, origin, paused_at) WHERE kek IS NOT NULL AND kind = 1;

-- What is paused, by when that was.
CREATE INDEX connection_paused ON tokenkeep.connection (provider, origin, paused_at) WHERE status = 'paused';

-- What is paused, by whose turn it is to be asked about.
CREATE INDEX connection_turn ON tokenkeep.connection (provider, origin, probe_until, tenant, name) WHERE status = 'paused';

CREATE TABLE tokenkeep.closed_kek (
    kek bytea NOT NULL PRIMARY KEY,
    closed_at bigint NOT NULL,
    drained_at bigint
);

-- Whoever seals holds a weak lock on this table until its transaction ends, whoever closes a KEK a strong one, and counts.
-- The count is for transactions that see the database as it was before: its change refuses them.
CREATE TABLE tokenkeep.kek_gate (
    only_one bigint NOT NULL PRIMARY KEY CHECK (only_one = 1),
    closings bigint NOT NULL
);
INSERT INTO tokenkeep.kek_gate (only_one, closings) VALUES (1, 0);

-- Rows are only ever added. `subject` is UTF-8, but may hold what PostgreSQL's text can't (U+0000).
CREATE TABLE tokenkeep.audit (
    shard bigint NOT NULL,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    action text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    incarnation bytea NOT NULL,
    secret_version bigint NOT NULL,
    revision bigint NOT NULL,
    record_mac bytea,
    times bigint NOT NULL,
    subject bytea,
    mac bytea NOT NULL,
    PRIMARY KEY (shard, sequence)
);

-- One row for each shard, made here so that there is always one to lock. A page holds few of them: each has room for its
-- next versions, and commits of different shards seldom meet on a page.
CREATE TABLE tokenkeep.audit_head (
    shard bigint NOT NULL PRIMARY KEY,
    sequence bigint NOT NULL,
    mac bytea NOT NULL
) WITH (fillfactor = 10);
INSERT INTO tokenkeep.audit_head (shard, sequence, mac)
    SELECT shard, 0, pg_catalog.decode(pg_catalog.repeat('00', 32), 'hex') FROM pg_catalog.generate_series(0, 15) AS shard;

-- The last checkpoint of the trail. `note` is UTF-8, as `subject` is.
CREATE TABLE tokenkeep.checkpoint (
    only_one bigint NOT NULL PRIMARY KEY CHECK (only_one = 1),
    number bigint NOT NULL,
    note bytea NOT NULL
);

INSERT INTO tokenkeep.migration (version, name, needs) VALUES (1, 'tables', 1);
