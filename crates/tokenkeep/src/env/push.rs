//! Sending a set to a target, step by step.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind, SecretVars, fill_random};
use tokenkeep_store::{Action, Change, Record, Timestamp};

use super::SecretEnv;
use super::index::{IndexedTarget, TargetLease};
use super::plan::{EnvAction, EnvPlan, EnvStep, same_place};
use super::set::{next_index, open, pair, permit};
use crate::observe::Operation;

/// How long a request of which nothing is known is given to arrive.
const LATE: Duration = Duration::from_secs(5 * 60);

/// How long nobody else sends to the target, from when something is noted on. It is renewed before a request for which less than [`LATE`]
/// is left of it.
const LEASE: Duration = Duration::from_secs(6 * 60);

/// How often a commit is made anew when others change the set's index at the same time.
const TRIES: usize = 16;

/// Sends a set to a target, one variable at a time. Made by [`EnvPlan::push`].
///
/// Before the first request, what was known of the variables that are to be sent is struck out, so that an interrupted push is seen by
/// the next plan, also when the set was changed back meanwhile; each one that the target acknowledged is noted. Each note is an entry of
/// the audit trail that names the target.
///
/// Of the pushes of a set, one sends to a target at a time: a second push is a `Conflict` while the first is at work. A request of which
/// it is not known what became of it keeps the others out until five minutes after it was sent, however its push goes on or ends, so that
/// what arrives late is not taken for what came after it; the same push goes on at once. What the target's own client repeats
/// by itself is one request here: where a repeat is acknowledged, one before it that was not may arrive later, unseen.
///
/// Right before each request the set is read again: nothing more is sent once a suspicion, a removal or a change is committed. One request
/// that is under way then, with the repeats that the target's client makes of it, is not called back.
///
/// ```
/// # async fn example(env: tokenkeep::SecretEnv, target: &dyn tokenkeep::EnvTarget) -> Result<(), tokenkeep::Error> {
/// let plan = env.plan(target).await?;
/// println!("{plan}");
/// let mut push = plan.push();
/// while let Some(step) = push.next().await? {
///     println!("{step}, {} left", push.left()); // update API_KEY, 2 left
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing is sent until `next` is called"]
pub struct EnvPush<'t> {
    env: SecretEnv,
    plan: EnvPlan<'t>,
    steps: VecDeque<EnvStep>,
    made: Vec<EnvStep>,
    holder: [u8; 16],
    /// The values, from the first step on.
    vars: Option<SecretVars>,
    /// Whether the index may have the lease: from before it is asked for.
    begun: bool,
    /// Until when nobody else sends, as far as this is known.
    leased: Option<Timestamp>,
    /// Until when a request of which nothing is known may still arrive.
    late: Option<Timestamp>,
    /// What may have been sent and is not noted.
    sent: Option<String>,
    done: bool,
}

/// What is noted at the target's entry.
enum Note<'a> {
    /// These are about to be sent.
    Begin(&'a [EnvStep]),
    /// This was sent.
    Done(&'a EnvStep),
    Renew,
    /// Others may send, as soon as nothing arrives late.
    GiveBack,
    /// Nothing is known of this any more.
    Strike(&'a str),
}

impl<'t> EnvPush<'t> {
    pub(super) fn new(mut plan: EnvPlan<'t>) -> Self {
        let steps = std::mem::take(&mut plan.steps).into();
        Self {
            env: plan.env.clone(),
            plan,
            steps,
            made: Vec::new(),
            holder: [0; 16],
            vars: None,
            begun: false,
            leased: None,
            late: None,
            sent: None,
            done: false,
        }
    }

    /// How many steps are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.steps.len()
    }

    /// The steps that were made, in order.
    #[must_use]
    pub fn made(&self) -> &[EnvStep] {
        &self.made
    }

    /// Makes the next step and says what it was; `None` at the end. The first one opens the values, which is a use on record.
    ///
    /// A variable that came or went at the target since the plan was made is updated or created all the same.
    ///
    /// # Errors
    /// `Conflict` when the set changed since the plan was made, or another push is at work at the target, or was less than six minutes ago
    /// and ended without an answer; `Suspected`, `NotConnected`, `Tampered`; those of the target's calls, such as `ScopeTooSmall` or
    /// `ProviderUnavailable`; and what the database and the keys may fail with. The step is still the next one then: the same call tries
    /// it again, and so does a new plan.
    ///
    /// # Cancellation
    /// Safe: what a dropped call was about to send may have been sent, and the next call sends it again.
    pub async fn next(&mut self) -> Result<Option<EnvStep>, Error> {
        if self.done {
            return Ok(None);
        }
        let (vault, id) = (self.env.vault.clone(), self.env.ids.values.clone());
        let late = self.late;
        let stepped = vault.watch.over(Operation::PushEnv, Some(&id), Box::pin(self.step())).await;
        let Err(error) = &stepped else { return stepped };
        if matches!(error.kind(), ErrorKind::Suspected | ErrorKind::NotConnected) {
            self.vars = None;
        }
        if self.begun && self.late == late {
            // Others need not wait for this one. If that can't be noted, it runs out.
            let _ = Box::pin(self.note(Note::GiveBack)).await;
            (self.begun, self.leased) = (false, None);
        }
        stepped
    }

    /// Makes all steps that are left, and gives these.
    ///
    /// # Errors
    /// As [`next`](Self::next). What was sent stays so: [`made`](Self::made) has it, and the same call goes on.
    ///
    /// # Cancellation
    /// Safe, as [`next`](Self::next).
    pub async fn finish(&mut self) -> Result<Vec<EnvStep>, Error> {
        let before = self.made.len();
        while self.next().await?.is_some() {}
        Ok(self.made[before..].to_vec())
    }

    async fn step(&mut self) -> Result<Option<EnvStep>, Error> {
        let Some(step) = self.steps.front().cloned() else {
            self.check_version().await?;
            self.done = true;
            return Ok(None);
        };
        match self.leased {
            None => self.begin().await?,
            // A request has all the time to arrive that it is given. If it ran out, somebody may have sent meanwhile.
            Some(until) if until < self.env.vault.now().after(LATE) => {
                self.leased = Some(self.note(Note::Renew).await?);
            }
            Some(_) => {}
        }
        self.send(&step).await?;
        let until = match self.note(Note::Done(&step)).await {
            Ok(until) => until,
            Err(refused) => {
                // What another push noted of it meanwhile may not be there any more.
                if self.note(Note::Strike(&step.name)).await.is_ok() {
                    self.sent = None;
                }
                return Err(refused);
            }
        };
        self.sent = None;
        self.steps.pop_front();
        self.leased = Some(until);
        if self.steps.is_empty() {
            (self.vars, self.begun, self.leased, self.done) = (None, false, None, true);
        }
        self.made.push(step.clone());
        Ok(Some(step))
    }

    /// Whether the set is what was planned, where nothing is to be sent.
    async fn check_version(&self) -> Result<(), Error> {
        let pair = pair(&self.env.vault, &self.env.ids).await?;
        self.is_planned(&pair.values)
    }

    fn is_planned(&self, values: &Record) -> Result<(), Error> {
        permit(values)?;
        same_place(values, &*self.plan.target)?;
        if (values.incarnation, values.secret_version) == (self.plan.incarnation, self.plan.version) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict).because("the set changed since the plan was made"))
    }

    /// Takes the lease, strikes out what is known of what is to be sent, and opens the values.
    async fn begin(&mut self) -> Result<(), Error> {
        if self.holder == [0; 16] {
            fill_random(&mut self.holder)?;
        }
        if self.vars.is_none() {
            // Who could not send anyway is refused before the values are opened.
            let pair = pair(&self.env.vault, &self.env.ids).await?;
            self.is_planned(&pair.values)?;
            self.is_free(pair.index.targets.get(&self.plan.target_id))?;
            self.vars = Some(open(&self.env.vault, &self.env.ids).await?.1);
        }
        let steps: Vec<EnvStep> = self.steps.iter().cloned().collect();
        // If this is dropped, it may have been committed.
        self.begun = true;
        self.leased = Some(self.note(Note::Begin(&steps)).await?);
        Ok(())
    }

    fn is_free(&self, target: Option<&IndexedTarget>) -> Result<(), Error> {
        let now = self.env.vault.now();
        let barred = target
            .and_then(|target| target.lease)
            .is_some_and(|lease| lease.holder != self.holder && lease.bars(now));
        if barred {
            return Err(Error::new(ErrorKind::Conflict)
                .because("another push to this target is at work, or sent something less than six minutes ago that was not answered"));
        }
        Ok(())
    }

    /// Notes this at the target's entry, if the set is what was planned and nobody else sends there; until when that is so now. What is
    /// taken back is, whatever the set is now.
    async fn note(&self, what: Note<'_>) -> Result<Timestamp, Error> {
        let vault = &self.env.vault;
        for _ in 0..TRIES {
            let mut pair = pair(vault, &self.env.ids).await?;
            if !matches!(what, Note::GiveBack | Note::Strike(_)) {
                self.is_planned(&pair.values)?;
            }
            let (now, id) = (vault.now(), &self.plan.target_id);
            if !matches!(what, Note::Strike(_)) {
                self.is_free(pair.index.targets.get(id))?;
            }
            let until = now.after(LEASE);
            let fingerprint = |name: &String| pair.index.vars.get(name).map(|var| var.fingerprint);
            let fresh = IndexedTarget { applied_at: now, lease: None, applied: Default::default() };
            let held = Some(TargetLease { holder: self.holder, until });
            let mut target = pair.index.targets.get(id).cloned().unwrap_or(fresh);
            let was_held = target.lease.is_some_and(|lease| lease.holder == self.holder);
            match what {
                Note::Begin(steps) => {
                    // What was taken to be there already must be so still.
                    let stays = |name: &String| target.applied.get(name).copied() == fingerprint(name);
                    if !self.plan.unchanged.iter().all(stays) {
                        return Err(Error::new(ErrorKind::Conflict)
                            .because("something was sent to the target since the plan was made"));
                    }
                    for step in steps {
                        target.applied.remove(&step.name);
                    }
                    target.lease = held;
                }
                // Its lease ran out, and another one has sent since.
                Note::Done(_) | Note::Renew if !was_held => {
                    return Err(Error::new(ErrorKind::Conflict)
                        .because("the push took too long, and another one may have sent meanwhile"));
                }
                Note::Done(step) => {
                    if step.action != EnvAction::Remove {
                        let sent = fingerprint(&step.name).ok_or(ErrorKind::Internal)?;
                        target.applied.insert(step.name.clone(), sent);
                    }
                    target.applied_at = now;
                    target.lease =
                        if self.steps.len() > 1 { held } else { still_due(self.late, now, self.holder) };
                }
                Note::Renew => target.lease = held,
                Note::GiveBack if was_held => target.lease = still_due(self.late, now, self.holder),
                Note::Strike(name) if target.applied.contains_key(name) => drop(target.applied.remove(name)),
                Note::GiveBack | Note::Strike(_) => return Ok(now),
            }
            pair.index.targets.insert(id.clone(), target);
            let record = next_index(vault, &pair.record, &mut pair.index, Some(id)).await?;
            let change = noted(&self.env, &pair.record, record, id);
            match vault.commit(std::slice::from_ref(&change)).await {
                Ok(()) => return Ok(until),
                Err(error) if error.kind() == ErrorKind::Conflict => vault.key_provider.refresh().await?,
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::Conflict.into())
    }

    /// Sends one. What came or went meanwhile is as well.
    async fn send(&mut self, step: &EnvStep) -> Result<(), Error> {
        let name = &step.name;
        match (step.action, self.request(step.action, name).await) {
            (EnvAction::Create, Err(error)) if error.kind() == ErrorKind::AlreadyExists => {
                self.request(EnvAction::Update, name).await
            }
            (EnvAction::Update, Err(error)) if error.kind() == ErrorKind::NotFound => {
                self.request(EnvAction::Create, name).await
            }
            (EnvAction::Remove, Err(error)) if error.kind() == ErrorKind::NotFound => Ok(()),
            (_, done) => done,
        }
    }

    /// Makes one request, if the set is still what was planned.
    async fn request(&mut self, action: EnvAction, name: &str) -> Result<(), Error> {
        let vault = &self.env.vault;
        // A suspicion, a removal or a change may have been committed and told since.
        self.is_planned(&vault.live(&self.env.ids.values).await?)?;
        // So it stays if this is dropped.
        let late = self.late.replace(vault.now().after(LATE));
        let sent = self.sent.replace(name.to_owned());
        let target = &*self.plan.target;
        let value =
            || self.vars.as_ref().and_then(|vars| vars.expose_secret(name)).ok_or(ErrorKind::Internal);
        let done = match action {
            EnvAction::Create => target.create(name, value()?).await,
            EnvAction::Update => target.update(name, value()?).await,
            EnvAction::Remove => target.remove(name).await,
        };
        match &done {
            Ok(()) => self.late = late,
            Err(error) if !target.may_arrive(error) => (self.late, self.sent) = (late, sent),
            Err(_) => {}
        }
        done
    }
}

/// What is left of a lease when its push gives it back.
fn still_due(late: Option<Timestamp>, now: Timestamp, holder: [u8; 16]) -> Option<TargetLease> {
    late.filter(|late| now < *late).map(|until| TargetLease { holder, until })
}

/// The index with something noted of this target, which the trail names: it is what is left of that when the set is removed.
fn noted(env: &SecretEnv, before: &Record, record: Record, target: &str) -> Change {
    let mut change = env.vault.change(Some(before), record, Action::Replaced);
    change.entry.subject = Some(target.to_owned());
    change
}

impl Drop for EnvPush<'_> {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.begun && self.sent.is_none() {
            return;
        }
        let left = Left {
            env: self.env.clone(),
            target: self.plan.target_id.clone(),
            holder: self.holder,
            is_noted: self.leased.is_some(),
            late: self.late,
            sent: self.sent.take(),
        };
        runtime.spawn(async move { left.take_back().await });
    }
}

/// What a push left that was dropped half-way.
struct Left {
    env: SecretEnv,
    target: String,
    holder: [u8; 16],
    /// Whether it is known that the lease was taken.
    is_noted: bool,
    late: Option<Timestamp>,
    sent: Option<String>,
}

impl Left {
    /// Gives the lease back, and strikes out what is not known any more.
    async fn take_back(&self) -> Result<(), Error> {
        let vault = &self.env.vault;
        for _ in 0..TRIES {
            let mut pair = pair(vault, &self.env.ids).await?;
            // Of a commit that was dropped it shows at the next one whether it happened.
            let mut differs = !self.is_noted;
            if let Some(entry) = pair.index.targets.get_mut(&self.target) {
                if entry.lease.is_some_and(|lease| lease.holder == self.holder) {
                    let due = still_due(self.late, vault.now(), self.holder);
                    differs |= entry.lease != due;
                    entry.lease = due;
                }
                differs |= self.sent.as_ref().is_some_and(|sent| entry.applied.remove(sent).is_some());
            }
            if !differs {
                return Ok(());
            }
            let record = next_index(vault, &pair.record, &mut pair.index, Some(&self.target)).await?;
            let change = noted(&self.env, &pair.record, record, &self.target);
            match vault.commit(std::slice::from_ref(&change)).await {
                Err(error) if error.kind() == ErrorKind::Conflict => vault.key_provider.refresh().await?,
                done => return done,
            }
        }
        Err(ErrorKind::Conflict.into())
    }
}

impl fmt::Debug for EnvPush<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvPush").field("plan", &self.plan).field("left", &self.steps).finish_non_exhaustive()
    }
}
