//! The transport against a stand-in for a provider: real TLS on the loopback interface, and everything it does wrong.

mod answers;
mod asked;
mod bodies;
mod boundary;
mod budget;
mod cut;
mod deadline;
mod echoes;
mod faults;
mod frozen;
mod half;
mod http1;
mod nack;
mod places;
mod proxies;
mod reports;
mod retries;
mod streams;
mod support;
mod tls;
mod windows;
