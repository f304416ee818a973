//! Sending a set to a target, step by step.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind, SecretVars, fill_random};
use tokenkeep_store::{Action, Timestamp};

use super::SecretEnv;
use super::index::{IndexedTarget, TargetLease};
use super::plan::{EnvAction, EnvPlan, EnvStep, same_place};
use super::set::{next_index, open, pair, permit};
use crate::observe::Operation;

/// How long nobody else sends to the target, from each step on: also how long a request that nobody waits for any more is given to arrive.
const LEASE: Duration = Duration::from_secs(5 * 60);

/// A lease that lasts longer than any that is taken was written by a clock that is wrong, and bars nobody.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// How often a commit is made anew when others change the set's index at the same time.
const TRIES: usize = 16;

/// Sends a set to a target, one variable at a time. Made by [`EnvPlan::push`].
///
/// Before the first request, what was known of the variables that are to be sent is struck out, so that an interrupted push is seen by
/// the next plan, also when the set was changed back meanwhile; each one that the target acknowledged is noted. One sends to a target at a
/// time: a second push is a `Conflict` while the first is at work. One that ended without knowing what became of its last request keeps
/// the others out for five minutes, so that what arrives late is not taken for what came after it; the same push goes on at once.
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
    holder: [u8; 16],
    /// The values, from the first step on.
    vars: Option<SecretVars>,
    /// Until when nobody else sends, as far as this is known.
    leased: Option<Timestamp>,
    /// Whether what became of the last request is not known.
    unsure: bool,
    done: bool,
}

/// What is noted at the target's entry.
enum Note<'a> {
    /// These are about to be sent.
    Begin(&'a [EnvStep]),
    /// This was sent.
    Done(&'a EnvStep),
    Renew,
    GiveBack,
}

impl<'t> EnvPush<'t> {
    pub(super) fn new(mut plan: EnvPlan<'t>) -> Self {
        let steps = std::mem::take(&mut plan.steps).into();
        Self {
            env: plan.env.clone(),
            plan,
            steps,
            holder: [0; 16],
            vars: None,
            leased: None,
            unsure: false,
            done: false,
        }
    }

    /// How many steps are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.steps.len()
    }

    /// Makes the next step and says what it was; `None` at the end. The first one opens the values, which is a use on record.
    ///
    /// A variable that came or went at the target since the plan was made is updated or created all the same.
    ///
    /// # Errors
    /// `Conflict` when the set changed since the plan was made, or another push is at work at the target; `Suspected`, `NotConnected`,
    /// `Tampered`; those of the target's calls, such as `ScopeTooSmall` or `ProviderUnavailable`; and what the database and the keys may
    /// fail with. The step is still the next one then: the same call tries it again, and so does a new plan.
    ///
    /// # Cancellation
    /// Safe: what a dropped call was about to send may have been sent, and the next call sends it again.
    pub async fn next(&mut self) -> Result<Option<EnvStep>, Error> {
        if self.done {
            return Ok(None);
        }
        let (vault, id) = (self.env.vault.clone(), self.env.ids.values.clone());
        let stepped = vault.watch.over(Operation::PushEnv, Some(&id), Box::pin(self.step())).await;
        if stepped.is_err() && !self.unsure && self.leased.is_some() {
            // Others need not wait. If that can't be noted, it runs out.
            let _ = Box::pin(self.note(Note::GiveBack)).await;
            self.leased = None;
        }
        stepped
    }

    /// Makes all steps that are left.
    ///
    /// # Errors
    /// As [`next`](Self::next). What was sent stays so.
    pub async fn finish(mut self) -> Result<Vec<EnvStep>, Error> {
        let mut all = Vec::with_capacity(self.left());
        while let Some(step) = self.next().await? {
            all.push(step);
        }
        Ok(all)
    }

    async fn step(&mut self) -> Result<Option<EnvStep>, Error> {
        let Some(step) = self.steps.front().cloned() else {
            self.check_version().await?;
            self.done = true;
            return Ok(None);
        };
        if self.leased.is_none() {
            self.begin().await?;
        } else if self.unsure || self.leased.is_some_and(|until| until <= self.env.vault.now()) {
            // Somebody may have sent meanwhile, if it ran out.
            self.leased = Some(self.note(Note::Renew).await?);
        }
        self.unsure = true;
        let sent = self.send(&step).await;
        if let Err(error) = &sent {
            self.unsure = may_arrive(error);
        }
        sent?;
        // Acknowledged: nothing of it arrives late.
        self.unsure = false;
        let until = self.note(Note::Done(&step)).await?;
        self.steps.pop_front();
        self.leased = (!self.steps.is_empty()).then_some(until);
        if self.steps.is_empty() {
            (self.vars, self.done) = (None, true);
        }
        Ok(Some(step))
    }

    /// Whether the set is what was planned, where nothing is to be sent.
    async fn check_version(&self) -> Result<(), Error> {
        let pair = pair(&self.env.vault, &self.env.ids).await?;
        self.is_planned(&pair.values)
    }

    fn is_planned(&self, values: &tokenkeep_store::Record) -> Result<(), Error> {
        permit(values)?;
        same_place(values, self.plan.target)?;
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
        self.leased = Some(self.note(Note::Begin(&steps)).await?);
        Ok(())
    }

    fn is_free(&self, target: Option<&IndexedTarget>) -> Result<(), Error> {
        let now = self.env.vault.now();
        let barred = target.and_then(|target| target.lease).is_some_and(|lease| {
            lease.holder != self.holder && now < lease.until && lease.until <= now.after(LONGEST)
        });
        if barred {
            return Err(Error::new(ErrorKind::Conflict)
                .because("another push to this target is at work, or ended less than five minutes ago without an answer"));
        }
        Ok(())
    }

    /// Notes this at the target's entry, if the set is what was planned and nobody else sends there; until when that is so now.
    async fn note(&self, what: Note<'_>) -> Result<Timestamp, Error> {
        let vault = &self.env.vault;
        for _ in 0..TRIES {
            let mut pair = pair(vault, &self.env.ids).await?;
            if !matches!(what, Note::GiveBack) {
                self.is_planned(&pair.values)?;
            }
            let (now, id) = (vault.now(), &self.plan.target_id);
            self.is_free(pair.index.targets.get(id))?;
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
                    target.lease = held.filter(|_| self.steps.len() > 1);
                }
                Note::Renew => target.lease = held,
                Note::GiveBack if was_held => target.lease = None,
                Note::GiveBack => return Ok(now),
            }
            pair.index.targets.insert(id.clone(), target);
            let record = next_index(vault, &pair.record, &mut pair.index, Some(id)).await?;
            let change = vault.change(Some(&pair.record), record, Action::Replaced);
            match vault.commit(std::slice::from_ref(&change)).await {
                Ok(()) => return Ok(until),
                Err(error) if error.kind() == ErrorKind::Conflict => vault.key_provider.refresh().await?,
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::Conflict.into())
    }

    /// Sends one. What came or went meanwhile is as well.
    async fn send(&self, step: &EnvStep) -> Result<(), Error> {
        let (target, name) = (self.plan.target, &step.name);
        let value =
            || self.vars.as_ref().and_then(|vars| vars.expose_secret(name)).ok_or(ErrorKind::Internal);
        match step.action {
            EnvAction::Create => match target.create(name, value()?).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => target.update(name, value()?).await,
                done => done,
            },
            EnvAction::Update => match target.update(name, value()?).await {
                Err(error) if error.kind() == ErrorKind::NotFound => target.create(name, value()?).await,
                done => done,
            },
            EnvAction::Remove => match target.remove(name).await {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                done => done,
            },
        }
    }
}

/// Whether a request that failed so may still be carried out: unless the provider said that it is not, or a boundary kept it back. A
/// credential that was refused says nothing of an attempt before.
fn may_arrive(error: &Error) -> bool {
    use ErrorKind::{
        AlreadyExists, Misuse, NotFound, NotFoundOrTokenRefused, PaymentRequired, RateLimited, ScopeTooSmall,
        TokenRefused,
    };
    !matches!(
        error.kind(),
        AlreadyExists
            | Misuse
            | NotFound
            | NotFoundOrTokenRefused
            | PaymentRequired
            | RateLimited
            | ScopeTooSmall
            | TokenRefused
    )
}

impl Drop for EnvPush<'_> {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.leased.is_none() || self.unsure {
            return;
        }
        let (env, id, holder) = (self.env.clone(), self.plan.target_id.clone(), self.holder);
        runtime.spawn(async move { give_back(&env, &id, &holder).await });
    }
}

/// For a push that is dropped half-way, when nothing of it is under way.
async fn give_back(env: &SecretEnv, target: &str, holder: &[u8; 16]) -> Result<(), Error> {
    let mut pair = pair(&env.vault, &env.ids).await?;
    let Some(entry) = pair.index.targets.get_mut(target) else { return Ok(()) };
    if entry.lease.take_if(|lease| lease.holder == *holder).is_none() {
        return Ok(());
    }
    let record = next_index(&env.vault, &pair.record, &mut pair.index, Some(target)).await?;
    let change = env.vault.change(Some(&pair.record), record, Action::Replaced);
    env.vault.commit(std::slice::from_ref(&change)).await
}

impl fmt::Debug for EnvPush<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvPush").field("plan", &self.plan).field("left", &self.steps).finish_non_exhaustive()
    }
}
