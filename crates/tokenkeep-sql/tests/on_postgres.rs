//! `PostgresStore` on a PostgreSQL server of its own. Every test's path begins with `postgres`, by which they are left out
//! where there is none.

mod cancelled;
mod postgres;
