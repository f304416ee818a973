//! The reference keeps the contract, and a store that breaks it is named.

mod wrong;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokenkeep_store::conformance::{self, run_all, sample_change, sample_id, sample_record};
use tokenkeep_store::{MemoryStore, TokenStore};
use wrong::{ALONE, FLAWS, Flaw, Flawed};

#[tokio::test]
async fn the_reference_conforms() {
    run_all(async || Box::new(MemoryStore::new()) as Box<dyn TokenStore>).await;
}

#[tokio::test]
async fn boxes_and_arcs_forward() {
    run_all(async || Box::new(Arc::new(MemoryStore::new())) as Box<dyn TokenStore>).await;
    run_all(async || {
        let inner: Box<dyn TokenStore> = Box::new(MemoryStore::new());
        Box::new(inner) as Box<dyn TokenStore>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_reference_has_one_winner_over_threads_too() {
    let store = Arc::new(MemoryStore::new());
    let id = sample_id("tenant", "name");
    for revision in 1..20 {
        let rivals: Vec<_> = (0..8_u8)
            .map(|rival| {
                let store = Arc::clone(&store);
                let mut record = sample_record(&id, revision);
                record.mac = [rival; 32];
                let change = sample_change(&record, (revision > 1).then_some(revision - 1));
                tokio::spawn(
                    async move { store.commit(&[change], &conformance::sample_chain()).await.is_ok() },
                )
            })
            .collect();
        let mut winners = 0;
        for rival in rivals {
            winners += usize::from(rival.await.unwrap());
        }
        assert_eq!(winners, 1);
    }
}

/// What the suite says of a store with this flaw; one rule alone, where one is named.
fn verdict(flaw: Flaw, alone: Option<&str>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fresh = async || Box::new(Flawed::new(flaw)) as Box<dyn TokenStore>;
    let run = async || match alone {
        None => run_all(fresh).await,
        Some("removed_records_stay_removed") => {
            conformance::removed_records_stay_removed(&*fresh().await).await;
        }
        Some("lost_answers_leave_no_half") => conformance::lost_answers_leave_no_half(&*fresh().await).await,
        Some("clocks_order_nothing") => conformance::clocks_order_nothing(&*fresh().await).await,
        Some("fast_clocks_lease_nothing_for_ever") => {
            conformance::fast_clocks_lease_nothing_for_ever(&*fresh().await).await;
        }
        Some("ages_bear_any_clock") => conformance::ages_bear_any_clock(&*fresh().await).await,
        Some("discards_replace_anything") => conformance::discards_replace_anything(&*fresh().await).await,
        Some("discards_are_pinned") => conformance::discards_are_pinned(&*fresh().await).await,
        Some("probe_leases_have_one_holder") => {
            conformance::probe_leases_have_one_holder(&*fresh().await).await;
        }
        Some("probe_leases_are_of_one_token") => {
            conformance::probe_leases_are_of_one_token(&*fresh().await).await;
        }
        Some("fast_clocks_lease_no_probe_for_ever") => {
            conformance::fast_clocks_lease_no_probe_for_ever(&*fresh().await).await;
        }
        Some(unknown) => unreachable!("{unknown}"),
    };
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(run()))).map_err(|panic| {
        panic.downcast::<String>().map_or_else(|_| "a panic without a text".to_owned(), |text| *text)
    })
}

#[test]
fn a_broken_store_is_named() {
    assert_eq!(verdict(Flaw::NoneAtAll, None), Ok(()));
    for (flaw, rule) in FLAWS {
        let said = verdict(flaw, None).expect_err(&format!("{flaw:?} passed the suite"));
        assert!(said.contains(rule), "{flaw:?} should break {rule}, but: {said}");
    }
}

/// Rules whose flaws other rules would name before them.
#[test]
fn each_rule_sees_by_itself() {
    for (flaw, rule) in ALONE {
        assert_eq!(verdict(Flaw::NoneAtAll, Some(rule)), Ok(()));
        let said = verdict(flaw, Some(rule)).expect_err(&format!("{flaw:?} passed {rule}"));
        assert!(said.contains(rule), "{flaw:?} should break {rule}, but: {said}");
    }
}

/// A store whose commits have waits before and behind them, where they can be dropped.
#[test]
fn a_slow_store_conforms() {
    assert_eq!(verdict(Flaw::SlowAlone, None), Ok(()));
}
