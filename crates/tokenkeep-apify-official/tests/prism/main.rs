//! Every public method of the official client: under a boundary that allows all against Prism, which serves Apify's own description, and
//! under the one of an application that shows how Actors do.

mod actors;
mod complete;
mod datasets;
mod disagreements;
mod iterators;
mod key_value_stores;
mod local;
mod logs;
mod methods;
mod others;
mod prism;
mod promised;
mod request_queues;
mod runs;
mod scene;
mod table;
mod tasks;
