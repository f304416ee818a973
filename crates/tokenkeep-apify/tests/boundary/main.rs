//! The boundary against Apify's API description, against hostile spellings, and in front of a server.

mod answers;
mod description;
mod hostile;
mod operations;
mod projections;
mod properties;
mod seam;
mod words;
