//! What a tokenkeep vault asks of a database, in sealed bytes only, and an in-memory reference
