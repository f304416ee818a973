//! Made-up accounts: their Actors and runs.

use std::collections::BTreeMap;

use crate::env_vars::EnvVar;
use crate::run::Run;

/// An account at the stand-in.
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) actors: Vec<Actor>,
    pub(crate) runs: Vec<StoredRun>,
    /// By the Actor's id and the version.
    env_vars: BTreeMap<(String, String), Vec<EnvVar>>,
}

/// An Actor, in the part that lists show.
pub(crate) struct Actor {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// The owner, when it isn't the account itself: a public Actor that the account has used.
    pub(crate) foreign_owner: Option<&'static str>,
    pub(crate) created_at: &'static str,
    pub(crate) modified_at: &'static str,
}

/// A run with the id that it was given, and its Actor's.
pub(crate) struct StoredRun {
    pub(crate) id: String,
    pub(crate) actor_id: String,
    pub(crate) run: Run,
    /// Started over the API, and not yet ended.
    started_here: bool,
}

impl StoredRun {
    /// Somebody asks about it, and may wait for its end.
    pub(crate) fn asked_about(&mut self, waits: bool) {
        if self.started_here && waits {
            self.end("SUCCEEDED");
        }
    }

    /// Ends it, unless it has ended.
    pub(crate) fn abort(&mut self, gracefully: bool) {
        if self.run.finished_at.is_none() {
            self.end("ABORTED");
            if gracefully {
                self.run.status = "ABORTING".to_owned();
                self.run.finished_at = None;
            }
        }
    }

    fn end(&mut self, status: &str) {
        self.started_here = false;
        self.run.status = status.to_owned();
        self.run.finished_at = Some("2026-08-05T10:00:42.000Z".to_owned());
    }
}

/// Which runs a list shows.
pub(crate) struct RunFilter {
    pub(crate) actor_id: Option<String>,
    pub(crate) statuses: Vec<String>,
    pub(crate) started_after: Option<String>,
    pub(crate) started_before: Option<String>,
}

impl Account {
    /// An account with three Actors, one of them somebody else's, and four runs.
    pub(crate) fn made_up(id: &str, username: &str) -> Self {
        let mut account = Self {
            id: id.to_owned(),
            username: username.to_owned(),
            actors: Vec::new(),
            runs: Vec::new(),
            env_vars: BTreeMap::new(),
        };
        for (name, title, foreign_owner, created_at, modified_at) in [
            ("price-watch", "Price watch", None, "2025-11-03T09:15:00.000Z", "2026-07-01T08:00:00.000Z"),
            ("news-digest", "News digest", None, "2026-01-20T14:30:00.000Z", "2026-06-12T16:45:00.000Z"),
            (
                "web-scraper",
                "Web scraper",
                Some("made-up-store"),
                "2024-05-06T07:00:00.000Z",
                "2026-03-02T11:00:00.000Z",
            ),
        ] {
            let id = made_up_id("FakeActor", account.actors.len());
            account.actors.push(Actor { id, name, title, foreign_owner, created_at, modified_at });
        }
        for (actor, status, started_at, finished_at, origin) in [
            (0, "SUCCEEDED", "2026-08-01T06:00:00.000Z", Some("2026-08-01T06:02:11.000Z"), "SCHEDULER"),
            (1, "FAILED", "2026-08-01T12:30:00.000Z", Some("2026-08-01T12:30:09.000Z"), "WEB"),
            (0, "SUCCEEDED", "2026-08-02T06:00:00.000Z", Some("2026-08-02T06:02:03.000Z"), "SCHEDULER"),
            (2, "RUNNING", "2026-08-04T18:45:00.000Z", None, "API"),
        ] {
            account.add_run(Run {
                actor_id: Some(account.actors[actor].id.clone()),
                status: status.to_owned(),
                started_at: started_at.to_owned(),
                finished_at: finished_at.map(str::to_owned),
                origin: origin.to_owned(),
                ..Run::default()
            });
        }
        account
    }

    /// Adds a checked run and gives its id. None when the account has no such Actor.
    pub(crate) fn add_run(&mut self, run: Run) -> Option<String> {
        let actor_id = match &run.actor_id {
            Some(id) => self.actor(id)?.id.clone(),
            None => self.actors.first()?.id.clone(),
        };
        let id = made_up_id("FakeRun", self.runs.len());
        self.runs.push(StoredRun { id: id.clone(), actor_id, run, started_here: false });
        Some(id)
    }

    /// Starts a run of this Actor and gives its id. None when the account has no such Actor.
    pub(crate) fn start_run(&mut self, actor_id: &str) -> Option<String> {
        let run = Run {
            actor_id: Some(actor_id.to_owned()),
            status: "READY".to_owned(),
            finished_at: None,
            ..Run::default()
        };
        let id = self.add_run(run)?;
        self.run_mut(&id)?.started_here = true;
        Some(id)
    }

    pub(crate) fn run_mut(&mut self, id: &str) -> Option<&mut StoredRun> {
        self.runs.iter_mut().find(|run| run.id == id)
    }

    /// The environment variables of a version of an Actor.
    pub(crate) fn env_vars(&mut self, actor_id: &str, version: &str) -> &mut Vec<EnvVar> {
        self.env_vars.entry((actor_id.to_owned(), version.to_owned())).or_default()
    }

    /// An Actor by its id, or by its owner's username, a tilde and its name.
    pub(crate) fn actor(&self, id_or_name: &str) -> Option<&Actor> {
        self.actors.iter().find(|actor| {
            let full_name = || format!("{}~{}", self.owner_of(actor), actor.name);
            actor.id == id_or_name || full_name() == id_or_name
        })
    }

    pub(crate) fn owner_of(&self, actor: &Actor) -> &str {
        actor.foreign_owner.unwrap_or(&self.username)
    }

    /// The runs that a list shows, oldest first.
    pub(crate) fn runs(&self, filter: &RunFilter) -> Vec<&StoredRun> {
        let mut runs: Vec<&StoredRun> = self
            .runs
            .iter()
            .filter(|stored| filter.actor_id.as_ref().is_none_or(|id| *id == stored.actor_id))
            .filter(|stored| filter.statuses.is_empty() || filter.statuses.contains(&stored.run.status))
            .filter(|stored| {
                filter.started_after.as_ref().is_none_or(|after| stored.run.started_at >= *after)
            })
            .filter(|stored| {
                filter.started_before.as_ref().is_none_or(|before| stored.run.started_at <= *before)
            })
            .collect();
        runs.sort_by(|a, b| a.run.started_at.cmp(&b.run.started_at));
        runs
    }

    /// When an Actor last ran.
    pub(crate) fn last_run_of(&self, actor: &Actor) -> Option<&str> {
        let runs = self.runs.iter().filter(|stored| stored.actor_id == actor.id);
        runs.map(|stored| stored.run.started_at.as_str()).max()
    }
}

/// A 17-character id, as long as Apify's.
fn made_up_id(kind: &str, number: usize) -> String {
    format!("{kind}{number:0width$}", width = 17 - kind.len())
}
