//! Secret input: what Apify's SDKs made, what is refused, and what is left of it in memory and in errors.

mod made;

mod sdk;
mod strict;
