GRANT USAGE ON SCHEMA tokenkeep TO app;
GRANT SELECT ON ALL TABLES IN SCHEMA tokenkeep TO app;
GRANT INSERT, UPDATE ON tokenkeep.connection, tokenkeep.vault, tokenkeep.checkpoint TO app;
GRANT UPDATE ON tokenkeep.audit_head, tokenkeep.kek_gate TO app;
GRANT UPDATE (envelope) ON tokenkeep.vault_key TO app;
GRANT UPDATE (drained_at) ON tokenkeep.closed_kek TO app;
GRANT INSERT ON tokenkeep.audit, tokenkeep.closed_kek, tokenkeep.vault_key TO app;
