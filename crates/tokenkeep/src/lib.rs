//! Keeps your customers' API tokens: a vault that seals, uses, audits and forgets them
