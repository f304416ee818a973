//! The operations of Apify's API, as its description of August 2026 (`v2-2026-08-05`) has them: 231, and what is not here is refused.
//!
//! A row is a method, a path, what the operation needs (`r` for reading a class, `w` for writing it), the names that its query may
//! have, and what it answers. What reads or writes several classes needs them all: by what an operation does, not by its method. A
//! `GET` that starts a run writes, and a `POST` that merely checks something reads. Where a part of an answer is of another class than
//! the rest, that part needs it and not the operation.

mod account;
mod actor_last_run;
mod actors;
mod jobs;
mod queries;
mod storage;
mod task_last_run;
mod tasks;

use super::operation::Operation;

const TABLE: [&[Operation]; 7] = [
    actors::OPERATIONS,
    actor_last_run::OPERATIONS,
    tasks::OPERATIONS,
    task_last_run::OPERATIONS,
    jobs::OPERATIONS,
    storage::OPERATIONS,
    account::OPERATIONS,
];

/// Every operation.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    TABLE.iter().copied().flatten()
}

macro_rules! operations {
    (@access r) => { $crate::boundary::class::Access::Read };
    (@access w) => { $crate::boundary::class::Access::ReadAndWrite };
    ($($method:ident $path:literal [$($access:ident $class:ident),*] [$($query:expr),*] $answer:expr;)*) => {
        use $crate::boundary::operation::Answer::*;

        pub(super) const OPERATIONS: &[$crate::boundary::operation::Operation] = &[$(
            $crate::boundary::operation::Operation {
                method: stringify!($method),
                path: $path,
                segments: $crate::boundary::operation::count_segments($path),
                needs: &[$($crate::boundary::class::Need {
                    class: $crate::boundary::class::Class::$class,
                    access: $crate::boundary::table::operations!(@access $access),
                }),*],
                queries: &[$($query),*],
                answer: $answer,
            }
        ),*];
    };
}

use operations;
