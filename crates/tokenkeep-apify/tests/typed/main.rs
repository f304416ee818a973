//! Every call of the typed client: against the stand-in, under boundaries, and against Prism, which serves Apify's own description.

mod boundaries;
mod calls;
mod env_target;
mod env_vars;
mod errors;
mod logs;
mod pages;
mod prism;
mod promised;
mod raw;
mod runs;
mod scene;
