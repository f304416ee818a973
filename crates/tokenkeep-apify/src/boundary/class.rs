//! The classes of what Apify's API holds, and what may be done with one.

use std::fmt;

/// A class of what Apify's API holds. A boundary says of each whether the application may reach it at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Actors: names, settings, statistics, the numbers and tags of versions. Not what is in a version.
    Actors,
    /// Source code, and what is made of it or leads to it: files, repositories, schemas, read-me files.
    SourceCode,
    /// Environment variables of Actor versions, their names too.
    EnvVars,
    /// Inputs: of a run, of a task, of a schedule, an Actor's example. Free data; may hold secrets.
    Inputs,
    /// Runs: status, times, resources, where they were started from. Starting and ending them is writing.
    Runs,
    /// Logs of runs, and what an Actor says of its own run. Free text; may hold secrets.
    RunLogs,
    /// Builds: status, times, resources. Starting and ending them is writing.
    Builds,
    /// Logs of builds. Free text; may hold secrets.
    BuildLogs,
    /// Datasets: names, times, sizes, the names of their fields. Not what is in them.
    Datasets,
    /// The items of datasets.
    DatasetItems,
    /// Key-value stores: names, times, sizes, and the keys in them with their sizes. Not what is under a key.
    KeyValueStores,
    /// The records of key-value stores.
    Records,
    /// Request queues and the requests in them.
    RequestQueues,
    /// Who else can reach something: public and signed links, the keys that sign them, general access.
    Sharing,
    /// Tasks of Actors: names and settings. Not their inputs.
    Tasks,
    /// Schedules. Not the inputs that they give.
    Schedules,
    /// Webhooks, what they send, and what was answered.
    Webhooks,
    /// How much the account used, and the limits of that.
    Usage,
    /// Plan, prices, charges, and what may be spent.
    Billing,
    /// Apify Proxy: its password and its groups.
    Proxy,
    /// Of the token's own account: e-mail address, profile, and the network addresses of who built something.
    User,
    /// Public profiles of other accounts, and the storages in lists that others share with this one.
    OtherUsers,
    /// Apify Store: Actors that are public.
    Store,
    /// Tools: what Apify says of a request, signing and checking of values.
    Tools,
}

impl Class {
    /// All classes.
    pub const ALL: &'static [Self] = &[
        Self::Actors,
        Self::SourceCode,
        Self::EnvVars,
        Self::Inputs,
        Self::Runs,
        Self::RunLogs,
        Self::Builds,
        Self::BuildLogs,
        Self::Datasets,
        Self::DatasetItems,
        Self::KeyValueStores,
        Self::Records,
        Self::RequestQueues,
        Self::Sharing,
        Self::Tasks,
        Self::Schedules,
        Self::Webhooks,
        Self::Usage,
        Self::Billing,
        Self::Proxy,
        Self::User,
        Self::OtherUsers,
        Self::Store,
        Self::Tools,
    ];

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// For people: what a customer is shown.
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Actors => "Actors: settings and metadata",
            Self::SourceCode => "source code of Actors",
            Self::EnvVars => "environment variables of Actors",
            Self::Inputs => "inputs of runs, tasks and schedules",
            Self::Runs => "runs: status, times, resources, and from where they were started",
            Self::RunLogs => "logs of runs",
            Self::Builds => "builds: status, times, versions",
            Self::BuildLogs => "logs of builds",
            Self::Datasets => "datasets: metadata",
            Self::DatasetItems => "items in datasets",
            Self::KeyValueStores => "key-value stores: metadata and listings of keys",
            Self::Records => "records in key-value stores",
            Self::RequestQueues => "request queues",
            Self::Sharing => "public and signed links, and who else has access",
            Self::Tasks => "tasks",
            Self::Schedules => "schedules",
            Self::Webhooks => "webhooks",
            Self::Usage => "usage of the account, and its limits",
            Self::Billing => "plan, prices and charges",
            Self::Proxy => "proxy password and configuration",
            Self::User => "e-mail address and profile",
            Self::OtherUsers => "other users: profiles, and storages that they share",
            Self::Store => "Apify Store",
            Self::Tools => "tools for requests and signatures",
        })
    }
}

/// What may be done with a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing. There is no writing alone: Apify answers most writes with what is there now.
    ReadAndWrite,
}

/// A class and what is done with it: what an operation, a query name or a field needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) class: Class,
    pub(crate) access: Access,
}

/// What a boundary allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Grants {
    read: u32,
    write: u32,
}

impl Grants {
    pub(crate) const NONE: Self = Self { read: 0, write: 0 };

    pub(crate) const fn with(mut self, class: Class, access: Access) -> Self {
        self.read |= class.bit();
        if matches!(access, Access::ReadAndWrite) {
            self.write |= class.bit();
        }
        self
    }

    pub(crate) const fn of(self, class: Class) -> Option<Access> {
        if self.write & class.bit() != 0 {
            Some(Access::ReadAndWrite)
        } else if self.read & class.bit() != 0 {
            Some(Access::Read)
        } else {
            None
        }
    }

    pub(crate) fn allow(self, need: Need) -> bool {
        self.of(need.class).is_some_and(|access| access >= need.access)
    }

    pub(crate) fn may_read(self, class: Class) -> bool {
        self.of(class).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_one_bit_and_listed_once() {
        let bits = Class::ALL.iter().fold(0_u32, |bits, class| {
            assert_eq!(bits & class.bit(), 0, "{class:?} is listed twice");
            bits | class.bit()
        });
        // The last one, and nothing left out before it.
        assert_eq!(bits.trailing_ones(), Class::Tools as u32 + 1);
        assert_eq!(bits.count_ones(), Class::Tools as u32 + 1);
    }

    #[test]
    fn reading_is_not_writing_and_writing_is_reading_too() {
        let need = |access| Need { class: Class::Runs, access };
        let reads = Grants::NONE.with(Class::Runs, Access::Read);
        let writes = Grants::NONE.with(Class::Runs, Access::ReadAndWrite);
        assert!(reads.allow(need(Access::Read)) && !reads.allow(need(Access::ReadAndWrite)));
        assert!(writes.allow(need(Access::Read)) && writes.allow(need(Access::ReadAndWrite)));
        for &class in Class::ALL {
            assert!(!Grants::NONE.may_read(class));
            assert_eq!(reads.may_read(class), class == Class::Runs, "{class:?}");
        }
        // What is allowed once is not taken back by allowing less.
        assert_eq!(writes.with(Class::Runs, Access::Read), writes);
    }
}
