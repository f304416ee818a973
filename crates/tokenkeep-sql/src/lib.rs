//! SQLite storage for tokenkeep
