//! Secret input: what Apify's SDKs made, what is refused, and what is left of it in memory.

mod environment;
mod limits;
mod made;
mod properties;
mod sdk;
mod strict;
#[cfg(target_os = "linux")]
mod wiped;
