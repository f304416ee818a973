//! What a customer is shown: what the application reaches, and what its token must be allowed for that.

use std::collections::BTreeSet;
use std::fmt;

use super::{Access, Boundary, Class};

/// A permission that Apify Console offers for an API token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TokenPermission {
    /// Actors: Read. It opens source code too.
    ActorsRead,
    /// Actors: Run.
    ActorsRun,
    /// Actors: List runs.
    ActorsListRuns,
    /// Tasks: Read.
    TasksRead,
    /// Tasks: Write.
    TasksWrite,
    /// Storages: Read. It opens items and records too.
    StoragesRead,
    /// Storages: Write.
    StoragesWrite,
    /// Access to the default storages of runs.
    DefaultRunStorages,
    /// Schedules: Read.
    SchedulesRead,
    /// Schedules: Write.
    SchedulesWrite,
    /// Webhooks: Read.
    WebhooksRead,
    /// Webhooks: Write.
    WebhooksWrite,
}

/// What a token must be allowed for a boundary. Displayed, it is a text for the customer who makes the token.
///
/// Which of Apify's permissions opens what is taken from its documentation and was not tried against the service. Classes that it
/// says nothing about are listed as such.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenScope {
    /// What is ticked in Apify Console.
    pub permissions: BTreeSet<TokenPermission>,
    /// Classes of the boundary that no token with limited permissions reaches: Apify lets none create or change Actors.
    pub only_unlimited: Vec<Class>,
    /// Classes of the boundary of which it is not known whether a token with limited permissions reaches them.
    pub not_known: Vec<Class>,
}

impl TokenScope {
    pub(super) fn of(boundary: &Boundary) -> Self {
        let mut scope =
            Self { permissions: BTreeSet::new(), only_unlimited: Vec::new(), not_known: Vec::new() };
        let allowed = Class::ALL.iter().filter_map(|&class| Some((class, boundary.access(class)?)));
        for (class, access) in allowed {
            scope.add(class, access == Access::ReadAndWrite);
        }
        let storages = [TokenPermission::StoragesRead, TokenPermission::ActorsListRuns];
        if storages.iter().all(|permission| scope.permissions.contains(permission)) {
            scope.permissions.insert(TokenPermission::DefaultRunStorages);
        }
        scope
    }

    fn add(&mut self, class: Class, writes: bool) {
        use TokenPermission as P;
        let (read, write) = match class {
            Class::Actors | Class::SourceCode | Class::EnvVars | Class::Builds | Class::BuildLogs => {
                if writes {
                    self.only_unlimited.push(class);
                }
                (P::ActorsRead, None)
            }
            Class::Runs | Class::RunLogs => (P::ActorsListRuns, Some(P::ActorsRun)),
            Class::Datasets
            | Class::DatasetItems
            | Class::KeyValueStores
            | Class::Records
            | Class::RequestQueues
            | Class::Sharing => (P::StoragesRead, Some(P::StoragesWrite)),
            Class::Tasks => (P::TasksRead, Some(P::TasksWrite)),
            Class::Schedules => (P::SchedulesRead, Some(P::SchedulesWrite)),
            Class::Webhooks => (P::WebhooksRead, Some(P::WebhooksWrite)),
            Class::Usage | Class::Billing | Class::Proxy | Class::User => {
                self.not_known.push(class);
                return;
            }
            // An input belongs to what it is given to; the others are open to everybody.
            Class::Inputs | Class::OtherUsers | Class::Store | Class::Tools => return,
        };
        self.permissions.insert(read);
        self.permissions.extend(write.filter(|_| writes));
    }
}

impl fmt::Display for TokenPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ActorsRead => "Actors: Read",
            Self::ActorsRun => "Actors: Run",
            Self::ActorsListRuns => "Actors: List runs",
            Self::TasksRead => "Tasks: Read",
            Self::TasksWrite => "Tasks: Write",
            Self::StoragesRead => "Storages: Read",
            Self::StoragesWrite => "Storages: Write",
            Self::DefaultRunStorages => "Default run storage access: on",
            Self::SchedulesRead => "Schedules: Read",
            Self::SchedulesWrite => "Schedules: Write",
            Self::WebhooksRead => "Webhooks: Read",
            Self::WebhooksWrite => "Webhooks: Write",
        })
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.only_unlimited.is_empty() {
            f.write_str(
                "In Apify Console, under Settings, API & Integrations: make a token of its own for this application, \
                 switch on \"Limit token permissions\", and allow\n",
            )?;
            list(f, &self.permissions)?;
            f.write_str("and nothing else.")?;
        } else {
            f.write_str(
                "This application needs a token without limited permissions: Apify lets no other one change\n",
            )?;
            list(f, &self.only_unlimited)?;
            f.write_str("Such a token opens the whole account to whoever has it.")?;
        }
        if self.only_unlimited.is_empty() || !self.not_known.is_empty() {
            f.write_str(" Apify does not say whether a token with limited permissions reaches\n")?;
            f.write_str("- the id and the name of the account\n")?;
            list(f, &self.not_known)?;
            f.write_str("What it does not reach is refused. Without id and name it can't be connected.")?;
        }
        f.write_str(
            "\nThe permissions are wider than what this application uses. They, and not the application, limit whoever gets \
             hold of the token.",
        )
    }
}

/// What the application reaches and what not, as a text for the customer.
impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |access| Class::ALL.iter().filter(move |class| self.access(**class) == access);
        for (access, heading) in [
            (Some(Access::ReadAndWrite), "This application may read and change\n"),
            (Some(Access::Read), "This application may read\n"),
            (None, "It is kept from\n"),
        ] {
            if with(access).next().is_some() {
                f.write_str(heading)?;
                list(f, with(access))?;
            }
        }
        f.write_str("It always learns the id and the name of the account.")
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: impl IntoIterator<Item = T>) -> fmt::Result {
    for item in items {
        writeln!(f, "- {item}")?;
    }
    Ok(())
}
