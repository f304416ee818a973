-- Text is compared by bytes (BINARY, the default). Times are milliseconds since 1970-01-01 UTC.

CREATE TABLE tokenkeep_vault (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    id BLOB NOT NULL
) STRICT;

CREATE TABLE tokenkeep_vault_key (
    place INTEGER NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL UNIQUE,
    envelope BLOB NOT NULL
) STRICT;

-- What a disconnect must leave nothing of, in three parts, each led by its length in 4 bytes (big-endian; 0 where there
-- is none): fingerprint (32 bytes) and envelope, the account's id, the account's name; then zeroes up to a size class.
-- No row is ever deleted or changes its size, so SQLite overwrites it in place and never moves it: where it moves a cell,
-- it leaves a copy that secure_delete misses.
CREATE TABLE tokenkeep_sealed (
    slot INTEGER NOT NULL PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- How often a record replaced one that was tampered with, which may leave slots that no record has; and how often that was
-- looked after.
CREATE TABLE tokenkeep_unused (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    stamp INTEGER NOT NULL
) STRICT;

CREATE TABLE tokenkeep_connection (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    origin TEXT NOT NULL,
    kind INTEGER NOT NULL,
    incarnation BLOB NOT NULL,
    secret_version INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    status TEXT NOT NULL,
    kek BLOB, -- NULL where the slot holds no envelope
    -- The first 8 bytes of the fingerprint, to find it by; NULL where the slot holds none. The whole of it must not lie here:
    -- SQLite moves these rows.
    fingerprint_start BLOB,
    slot INTEGER, -- a tombstone keeps its slot, full of zeroes
    connected_at INTEGER NOT NULL,
    token_set_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    paused_at INTEGER,
    purge TEXT NOT NULL,
    mac BLOB NOT NULL,
    -- Who runs a tombstone's hooks, and until when. Not under the MAC: they are no part of the record.
    lease_holder BLOB,
    lease_until INTEGER,
    -- The same of who asks the provider about the token that is held now. What is paused is asked about in the order of
    -- `probe_until`: 0 where nobody asked yet.
    probe_holder BLOB,
    probe_until INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX tokenkeep_connection_kek ON tokenkeep_connection (kek, tenant, name) WHERE kek IS NOT NULL;

CREATE INDEX tokenkeep_connection_fingerprint ON tokenkeep_connection (fingerprint_start, tenant, name)
    WHERE fingerprint_start IS NOT NULL;

-- By the age of the tokens: what is due to be replaced.
CREATE INDEX tokenkeep_connection_age ON tokenkeep_connection (token_set_at, tenant, name) WHERE kek IS NOT NULL;

CREATE INDEX tokenkeep_connection_purge ON tokenkeep_connection (tenant, name) WHERE purge = 'pending';

-- By provider: how many there are, and how many tokens were paused of late, whatever came of it. The last two columns are there so
-- that they are counted without a look at each row. Of tokens alone (kind 1): what else is kept for a provider is never paused.
CREATE INDEX tokenkeep_connection_provider ON tokenkeep_connection (provider, origin, paused_at, kek, fingerprint_start)
    WHERE kek IS NOT NULL AND kind = 1;

-- What is paused, by when that was.
CREATE INDEX tokenkeep_connection_paused ON tokenkeep_connection (provider, origin, paused_at, fingerprint_start)
    WHERE status = 'paused';

-- What is paused, by whose turn it is to be asked about.
CREATE INDEX tokenkeep_connection_turn ON tokenkeep_connection (provider, origin, probe_until, tenant, name)
    WHERE status = 'paused';

CREATE TABLE tokenkeep_closed_kek (
    kek BLOB NOT NULL PRIMARY KEY,
    closed_at INTEGER NOT NULL,
    drained_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE tokenkeep_audit (
    shard INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    incarnation BLOB NOT NULL,
    secret_version INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    record_mac BLOB,
    times INTEGER NOT NULL,
    subject TEXT,
    mac BLOB NOT NULL,
    PRIMARY KEY (shard, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokenkeep_audit_head (
    shard INTEGER NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL,
    mac BLOB NOT NULL
) STRICT;

-- The last checkpoint of the audit trail: a signed note.
CREATE TABLE tokenkeep_checkpoint (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    number INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;
