//! Benchmarks of tokenkeep.
