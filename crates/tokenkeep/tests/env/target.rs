//! A target that answers as it is told, without a network.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokenkeep::{EnvTarget, Error, ErrorKind, ProviderSpec, TargetVar, async_trait};

use crate::common::Scripted;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is not carried out, and that is told.
    Refused(ErrorKind),
    /// It is carried out, and its answer is lost.
    Unanswered,
    /// It is carried out, and its answer never comes.
    Hangs,
}

#[derive(Debug)]
pub(crate) struct Target {
    provider: Scripted,
    id: String,
    /// Name, value and whether it is secret.
    pub(crate) there: Mutex<BTreeMap<String, (String, bool)>>,
    /// The changes that were asked for, in order: `create A`.
    pub(crate) asked: Mutex<Vec<String>>,
    /// What happens to the request that is the so-manieth from now; 0 is the next one.
    pub(crate) fate: Mutex<Option<(usize, Fate)>>,
    /// How often it was asked what is there.
    pub(crate) lists: Mutex<usize>,
}

impl Target {
    pub(crate) fn new() -> Self {
        Self::at(Scripted::new(), "actor/0.1")
    }

    pub(crate) fn at(provider: Scripted, id: &str) -> Self {
        Self {
            provider,
            id: id.to_owned(),
            there: Mutex::default(),
            asked: Mutex::default(),
            fate: Mutex::default(),
            lists: Mutex::default(),
        }
    }

    /// What somebody has put there by hand.
    pub(crate) fn holds(&self, name: &str, value: &str, is_secret: bool) {
        self.there.lock().unwrap().insert(name.to_owned(), (value.to_owned(), is_secret));
    }

    pub(crate) fn will(&self, nth: usize, fate: Fate) {
        *self.fate.lock().unwrap() = Some((nth, fate));
    }

    /// `A=1 B=2`; a `!` for what is not secret.
    pub(crate) fn shown(&self) -> String {
        let there = self.there.lock().unwrap();
        let one = |(name, (value, is_secret)): (&String, &(String, bool))| {
            format!("{name}={value}{}", if *is_secret { "" } else { "!" })
        };
        there.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    async fn change(&self, what: &str, name: &str, value: Option<&str>) -> Result<(), Error> {
        self.asked.lock().unwrap().push(format!("{what} {name}"));
        // So that a caller who is dropped at any await is dropped here too, at some.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let fate = {
            let mut fate = self.fate.lock().unwrap();
            let due = fate.take_if(|(left, _)| *left == 0).map(|(_, fate)| fate);
            fate.iter_mut().for_each(|(left, _)| *left -= 1);
            due
        };
        if let Some(Fate::Refused(kind)) = fate {
            return Err(kind.into());
        }
        {
            let mut there = self.there.lock().unwrap();
            match (what, there.contains_key(name)) {
                ("create", true) => return Err(ErrorKind::AlreadyExists.into()),
                ("update" | "remove", false) => return Err(ErrorKind::NotFound.into()),
                _ => {}
            }
            match value {
                Some(value) => there.insert(name.to_owned(), (value.to_owned(), true)),
                None => there.remove(name),
            };
        }
        match fate {
            Some(Fate::Unanswered) => Err(ErrorKind::ProviderUnavailable.into()),
            Some(Fate::Hangs) => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl EnvTarget for Target {
    fn spec(&self) -> &ProviderSpec {
        tokenkeep::Provider::spec(&self.provider)
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    async fn list(&self) -> Result<Vec<TargetVar>, Error> {
        *self.lists.lock().unwrap() += 1;
        let there = self.there.lock().unwrap();
        let listed = |(name, (_, is_secret)): (&String, &(String, bool))| {
            TargetVar::new(name, *is_secret).unwrap_or_else(|_| TargetVar::out_of_reach(name, *is_secret))
        };
        Ok(there.iter().map(listed).collect())
    }

    async fn create(&self, name: &str, value: &str) -> Result<(), Error> {
        self.change("create", name, Some(value)).await
    }

    async fn update(&self, name: &str, value: &str) -> Result<(), Error> {
        self.change("update", name, Some(value)).await
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        self.change("remove", name, None).await
    }
}
