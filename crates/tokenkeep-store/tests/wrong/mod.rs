//! Stores that break the contract, each in one way, and the rule that must name it.

mod commits;
mod store;

use std::sync::Mutex;

use tokenkeep_core::{ConnectionId, KekId};
use tokenkeep_store::{MemoryStore, PurgeLease, StoredCheckpoint, VaultRecord};

/// Ways to break the contract, and the rule that must name each.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Flaw {
    NoneAtAll,
    IgnoresWhatIsExpected,
    LooksAndThenWrites,
    ReplacesTombstones,
    CommitsOneByOne,
    ForgetsUses,
    ScansByLengthOfName,
    BeginsAtAndNotBehind,
    IgnoresTheLimit,
    IgnoresCase,
    DropsTheExpiry,
    ClosesNothing,
    ClosesWhatStays,
    ComparesKeksAlone,
    TakesEachVault,
    BuriesLostVaults,
    CutsCounters,
    ForgetsRecordMacs,
    ForgetsTheHeads,
    TakesEachCheckpoint,
    LooksAndThenPuts,
    KeepsTheFirstCheckpoint,
    AgesByTimeAlone,
    AgesTombstones,
    FindsWhatBeginsAlike,
    LeasesToAll,
    LeasesForEver,
    ReadsAnotherTogether,
    ScansBeforeItCommits,
    GivesPagesInAnotherOrder,
    BringsBackTheRemoved,
    TakesOtherVaults,
    KeepsOtherVaultsUses,
    SlowAlone,
    CommitsInSteps,
    TakesItTwice,
    SortsTheTrailByTime,
    RefusesWhatIsOlder,
    AgesByTheLastChange,
    OverlooksWhatHappenedSince,
    PinsToTheBeginning,
    RefusesJumps,
    ForgetsWhenItClosed,
    NotesDrainedAnew,
    NotesOfAnyKek,
    ForgetsNothing,
    RewrapsBlindly,
    RewrapsUnderClosed,
    PausedByTimeAlone,
    PausesTheResumed,
    MixesOrigins,
    CountsWithoutALimit,
    CountsTheResumed,
    ForgetsTheResumed,
    ProbesByAll,
    LeasesProbesOnTheHooks,
}

pub(crate) const FLAWS: [(Flaw, &str); 47] = [
    (Flaw::IgnoresWhatIsExpected, "absent_means_no_record"),
    (Flaw::LooksAndThenWrites, "one_winner_per_revision"),
    (Flaw::ReplacesTombstones, "absent_means_no_record"),
    (Flaw::CommitsOneByOne, "commits_are_whole"),
    (Flaw::ForgetsUses, "changes_see_those_before_them"),
    (Flaw::ScansByLengthOfName, "scans_are_in_order"),
    (Flaw::BeginsAtAndNotBehind, "stands behind"),
    (Flaw::IgnoresTheLimit, "a page of"),
    (Flaw::IgnoresCase, "records_come_back_as_written"),
    (Flaw::DropsTheExpiry, "records_come_back_as_written"),
    (Flaw::ClosesNothing, "closed_keks_are_refused"),
    (Flaw::ClosesWhatStays, "closed_keks_keep_what_is_in_place"),
    (Flaw::ComparesKeksAlone, "closed_keks_are_refused"),
    (Flaw::TakesEachVault, "one_vault_wins"),
    (Flaw::BuriesLostVaults, "lost_vaults_are_not_replaced"),
    (Flaw::CutsCounters, "large_numbers_are_kept"),
    (Flaw::ForgetsRecordMacs, "large_numbers_are_kept"),
    (Flaw::ForgetsTheHeads, "commits_are_whole"),
    (Flaw::TakesEachCheckpoint, "checkpoints_replace_the_one_before"),
    (Flaw::LooksAndThenPuts, "checkpoints_have_one_winner"),
    (Flaw::KeepsTheFirstCheckpoint, "checkpoints_replace_the_one_before"),
    (Flaw::FindsWhatBeginsAlike, "fingerprints_are_found"),
    (Flaw::LeasesToAll, "purge_leases_have_one_holder"),
    (Flaw::LeasesForEver, "without an end"),
    (Flaw::AgesByTimeAlone, "ages_are_in_order"),
    (Flaw::AgesTombstones, "ages_are_in_order"),
    (Flaw::ReadsAnotherTogether, "another record"),
    (Flaw::ScansBeforeItCommits, "does not see the commit"),
    (Flaw::GivesPagesInAnotherOrder, "several scans gave"),
    (Flaw::BringsBackTheRemoved, "removed_records_stay_removed"),
    (Flaw::TakesOtherVaults, "other_vaults_are_refused"),
    (Flaw::KeepsOtherVaultsUses, "other_vaults_are_refused"),
    (Flaw::OverlooksWhatHappenedSince, "discards_are_pinned"),
    (Flaw::ForgetsWhenItClosed, "closed again"),
    (Flaw::NotesDrainedAnew, "drained still"),
    (Flaw::NotesOfAnyKek, "closures_are_noted"),
    (Flaw::ForgetsNothing, "closures_are_noted"),
    (Flaw::RewrapsBlindly, "what was in place is not compared"),
    (Flaw::RewrapsUnderClosed, "came under a closed KEK"),
    (Flaw::PausedByTimeAlone, "paused_are_in_order"),
    (Flaw::PausesTheResumed, "paused_are_in_order"),
    (Flaw::MixesOrigins, "paused_are_in_order"),
    (Flaw::CountsWithoutALimit, "counts_are_right"),
    (Flaw::CountsTheResumed, "counts_are_right"),
    (Flaw::ForgetsTheResumed, "counts_are_right"),
    (Flaw::ProbesByAll, "probe_leases_have_one_holder"),
    (Flaw::LeasesProbesOnTheHooks, "probe_leases_have_one_holder"),
];

pub(crate) const ALONE: [(Flaw, &str); 10] = [
    (Flaw::RefusesJumps, "discards_replace_anything"),
    (Flaw::PinsToTheBeginning, "discards_are_pinned"),
    (Flaw::ReplacesTombstones, "removed_records_stay_removed"),
    (Flaw::CommitsInSteps, "lost_answers_leave_no_half"),
    (Flaw::TakesItTwice, "lost_answers_leave_no_half"),
    (Flaw::SortsTheTrailByTime, "clocks_order_nothing"),
    (Flaw::RefusesWhatIsOlder, "clocks_order_nothing"),
    (Flaw::LeasesForEver, "fast_clocks_lease_nothing_for_ever"),
    (Flaw::LeasesToAll, "fast_clocks_lease_nothing_for_ever"),
    (Flaw::AgesByTheLastChange, "ages_bear_any_clock"),
];

#[derive(Debug)]
pub(crate) struct Flawed {
    pub(super) flaw: Flaw,
    pub(super) inner: MemoryStore,
    /// For those flaws that need a state of their own.
    pub(super) closed: Mutex<Vec<KekId>>,
    pub(super) vault: Mutex<Option<VaultRecord>>,
    pub(super) checkpoint: Mutex<Option<StoredCheckpoint>>,
    pub(super) lease: Mutex<Option<(ConnectionId, PurgeLease)>>,
}

impl Flawed {
    pub(crate) fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            inner: MemoryStore::new(),
            closed: Mutex::default(),
            vault: Mutex::default(),
            checkpoint: Mutex::default(),
            lease: Mutex::default(),
        }
    }
}
