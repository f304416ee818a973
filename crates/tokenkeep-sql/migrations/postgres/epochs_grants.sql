GRANT USAGE ON SCHEMA tokenkeep_epochs TO app;
GRANT SELECT ON tokenkeep_epochs.migration TO app;
GRANT SELECT, INSERT, UPDATE, DELETE ON tokenkeep_epochs.epoch TO app;
