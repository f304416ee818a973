//! What must be true of the connections, from what the killed process told.

use std::collections::HashSet;

use tokenkeep::{Action, AuditEntry, Incarnation, SecretVersion};

use crate::application::is_its;
use crate::line::{Act, Line};
use crate::place::SLOTS;

/// A connection.
#[derive(Debug, Clone, Default)]
struct Slot {
    /// What it held last, for certain.
    state: State,
    /// What was done in this life of the process, and acknowledged.
    done: Vec<(Act, String)>,
    /// What was being done when it ended.
    open: Option<(Act, String)>,
    /// Uses that were given, over all lives.
    used: u64,
    /// Uses that the trail has.
    recorded: u64,
    /// What the trail says of the token that it holds or held last.
    life: Option<(Incarnation, SecretVersion)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    Never,
    Holds(String),
    Disconnected,
}

impl State {
    fn after((act, token): &(Act, String)) -> Self {
        match act {
            Act::Connect | Act::Replace => Self::Holds(token.clone()),
            Act::Disconnect => Self::Disconnected,
        }
    }
}

/// What a connection must look like.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) state: State,
    /// As the trail has it.
    pub(crate) life: Option<(Incarnation, SecretVersion)>,
}

/// Figures for a person.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures {
    pub(crate) done: u64,
    pub(crate) used: u64,
    pub(crate) failed: u64,
    /// Changes that were under way when the process was killed, and turned out to be made, or not.
    pub(crate) made: u64,
    pub(crate) not_made: u64,
    /// Changes that were made in the application's own transactions.
    pub(crate) in_the_applications: u64,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    slots: Vec<Slot>,
    incarnations: HashSet<Incarnation>,
    /// Whose hooks must have run.
    pub(crate) disconnected: HashSet<Incarnation>,
    /// What was connected or replaced where the application has a row of its own for it.
    pub(crate) tokens_of_the_application: HashSet<(Incarnation, SecretVersion)>,
}

fn act_of(action: Action) -> Option<Act> {
    match action {
        Action::Connected => Some(Act::Connect),
        Action::Replaced => Some(Act::Replace),
        Action::Disconnected => Some(Act::Disconnect),
        _ => None,
    }
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            slots: vec![Slot::default(); SLOTS],
            incarnations: HashSet::new(),
            disconnected: HashSet::new(),
            tokens_of_the_application: HashSet::new(),
        }
    }

    /// Takes what a life of the process told.
    ///
    /// # Errors
    /// It told that something is wrong.
    pub(crate) fn read(&mut self, lines: &[Line], figures: &mut Figures) -> Result<(), String> {
        for line in lines {
            match line {
                Line::Ready => {}
                Line::Begin(slot, act, token) => self.slots[*slot].open = Some((*act, token.clone())),
                Line::Done(slot) => {
                    figures.done += 1;
                    let slot = &mut self.slots[*slot];
                    slot.done.extend(slot.open.take());
                }
                Line::NotDone(slot) => self.slots[*slot].open = None,
                Line::Used(slot) => {
                    figures.used += 1;
                    self.slots[*slot].used += 1;
                }
                Line::Failed(_) => figures.failed += 1,
                Line::Broken(what) => return Err(format!("the process says: {what}")),
            }
        }
        Ok(())
    }

    /// Compares this life's entries of a connection with what was told, and gives what it must look like now.
    ///
    /// # Errors
    /// What was acknowledged is missing, or there is what nobody did.
    pub(crate) fn settle(
        &mut self,
        slot: usize,
        entries: &[AuditEntry],
        figures: &mut Figures,
    ) -> Result<Expected, String> {
        let is_the_applications = is_its(slot);
        let slot = &mut self.slots[slot];
        let (done, open) = (std::mem::take(&mut slot.done), slot.open.take());
        let changes = entries.iter().filter_map(|entry| Some((act_of(entry.draft.action)?, entry)));
        let changes: Vec<_> = changes.collect();
        let told: Vec<Act> = done.iter().map(|(act, _)| *act).collect();
        let found: Vec<Act> = changes.iter().map(|(act, _)| *act).collect();
        let made = match found.strip_prefix(&told[..]) {
            Some([]) => false,
            Some([act]) if open.as_ref().is_some_and(|(open, _)| open == act) => true,
            _ => return Err(format!("acknowledged: {told:?}, then begun: {open:?}; on record: {found:?}")),
        };
        if open.is_some() {
            *(if made { &mut figures.made } else { &mut figures.not_made }) += 1;
        }
        for (act, entry) in changes {
            let (incarnation, version) = (entry.draft.incarnation, entry.draft.secret_version);
            let follows = match (act, slot.life) {
                (Act::Connect, _) => self.incarnations.insert(incarnation) && version == SecretVersion::FIRST,
                (Act::Replace, Some((former, before))) => former == incarnation && version == before.next(),
                (Act::Disconnect, Some(before)) => {
                    self.disconnected.insert(incarnation);
                    before == (incarnation, version)
                }
                (_, None) => false,
            };
            if !follows {
                return Err(format!("{act:?} of {incarnation}, version {version} follows {:?}", slot.life));
            }
            slot.life = Some((incarnation, version));
            if is_the_applications && act != Act::Disconnect {
                self.tokens_of_the_application.insert((incarnation, version));
                figures.in_the_applications += 1;
            }
        }
        if let Some(last) = open.filter(|_| made).or(done.last().cloned()) {
            slot.state = State::after(&last);
        }
        let uses = entries.iter().filter(|entry| entry.draft.action == Action::Used);
        slot.recorded += uses.map(|entry| entry.draft.count).sum::<u64>();
        if slot.recorded < slot.used {
            return Err(format!("{} uses were given, {} are on record", slot.used, slot.recorded));
        }
        Ok(Expected { state: slot.state.clone(), life: slot.life })
    }
}
