//! Every statement of the store finds its rows through an index, however many tenants there are.
//!
//! PostgreSQL itself says which plan it used for every statement that it ran (`auto_explain`), so that no statement can be
//! forgotten here but by forgetting a method.

use std::collections::BTreeSet;

use sqlx::postgres::PgPoolOptions;
use tokenkeep_core::{KekId, VaultId, VaultKeyPurpose};
use tokenkeep_sql::PostgresStore;
use tokenkeep_store::StoredCheckpoint;
use tokenkeep_store::conformance::{
    sample_chain, sample_change, sample_id, sample_record, sample_tombstone, sample_use,
};
use tokenkeep_store::{
    AtProvider, Change, Counted, ProbeLease, ProbeTurn, PurgeLease, Scan, Status, Timestamp, TokenSet,
    TokenStore, VaultRecord, shard_of,
};
use tokenkeep_testkit::ThrowawayPostgres;

use super::{NOW, run};

/// As many tenants as this, with as many entries.
const TENANTS: usize = 20_000;

/// The tables that grow with the number of tenants.
const GROWING: [&str; 2] = ["connection", "audit"];

#[tokio::test]
async fn every_statement_goes_by_an_index() {
    let server = ThrowawayPostgres::start().unwrap();
    let name = server.fresh_database().unwrap();
    let plain = server.url(&name).parse::<sqlx::postgres::PgConnectOptions>().unwrap();
    let store = PostgresStore::open(super::pool(plain.clone()).await).await.unwrap();
    fill(&store).await;
    let mut owner = sqlx::ConnectOptions::connect(&plain).await.unwrap();
    // As the server does by itself: else it believes that it must look at every row that it counts.
    run(&mut owner, "VACUUM ANALYZE").await;

    for plans in ["force_generic_plan", "force_custom_plan", "auto"] {
        let before = server.log().unwrap().len();
        let explaining = plain.clone().options([
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_nested_statements", "on"),
            ("plan_cache_mode", plans),
        ]);
        let pool = PgPoolOptions::new().max_connections(2).connect_with(explaining).await.unwrap();
        for round in 0..2 {
            every_method(&PostgresStore::open(pool.clone()).await.unwrap(), round).await;
        }
        pool.close().await;
        let log = server.log().unwrap();
        let explained = explained(&log[before..]);
        for plan in &explained {
            for table in GROWING {
                let full = format!("Seq Scan on {table} ");
                assert!(!plan.contains(&full), "{plans}: reads all of {table}:\n{plan}");
            }
            assert!(!throws_rows_away(plan), "{plans}: reads rows that it doesn't want:\n{plan}");
            assert!(!plan.contains("  Sort") || !reads_growing(plan), "{plans}: sorts:\n{plan}");
        }
        // Else the log is not what this test takes it for.
        for index in [
            "connection_pkey",
            "connection_kek",
            "connection_purge",
            "connection_fingerprint",
            "connection_age",
            "connection_provider",
            "connection_paused",
            "connection_turn",
            "audit_pkey",
        ] {
            assert!(explained.iter().any(|plan| plan.contains(index)), "{plans}: {index} is used nowhere");
        }
        assert!(explained.len() >= 15, "{plans}: {} statements", explained.len());
    }
    // And a statement that does read all is seen as one.
    run(&mut owner, "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SELECT count(mac) FROM tokenkeep.connection")
        .await;
    assert!(explained(&server.log().unwrap()).iter().any(|plan| plan.contains("Seq Scan on connection ")));
}

/// Whether a table that grows is read with a filter: how many rows that takes depends on what is in them.
fn throws_rows_away(plan: &str) -> bool {
    let mut growing = false;
    plan.lines().any(|line| {
        if line.contains("(cost=") {
            growing = GROWING.iter().any(|table| line.contains(&format!(" on {table} ")));
        }
        growing && line.trim_start().starts_with("Filter:")
    })
}

fn reads_growing(plan: &str) -> bool {
    GROWING.iter().any(|table| plan.contains(&format!(" on {table} ")))
}

/// Each statement that the log explains, with its plan, once.
fn explained(log: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in log.split("LOG:  duration:").skip(1) {
        let lines =
            part.lines().take(1).chain(part.lines().skip(1).take_while(|line| line.starts_with('\t')));
        let text: Vec<&str> = lines.collect();
        // Without the duration, which differs.
        found.insert(text[1..].join("\n"));
    }
    found
}

/// What few records are under, the last ones in order.
fn rare() -> KekId {
    KekId::from_slice(b"rare").unwrap()
}

/// The provider of nearly all.
fn common() -> AtProvider {
    AtProvider { provider: "apify".parse().unwrap(), origin: "https://api.example".parse().unwrap() }
}

async fn fill(store: &PostgresStore) {
    let chain = sample_chain();
    for from in (0..TENANTS).step_by(500) {
        let changes: Vec<Change> = (from..from + 500)
            .map(|n| {
                let mut record = sample_record(&sample_id(&format!("tenant-{n:05}"), "name"), 1);
                record.token_set_at = Timestamp::from_millis(n as i64);
                // Nearly all are of one provider; many were paused once, and few are now.
                if n % 100 != 50 {
                    (record.provider, record.origin) = (common().provider, common().origin);
                }
                record.paused_at = (n % 3 == 0).then(|| Timestamp::from_millis(n as i64));
                record.status = if n % 300 == 0 { Status::Paused } else { Status::Active };
                record.sealed.as_mut().unwrap().fingerprint[..8].copy_from_slice(&n.to_le_bytes());
                if n >= TENANTS - 100 {
                    record.sealed.as_mut().unwrap().kek = rare();
                }
                sample_change(&record, None)
            })
            .collect();
        store.commit(&changes, &chain).await.unwrap();
    }
}

/// Calls each method of the store, and each of its own.
async fn every_method(store: &PostgresStore, round: u64) {
    let chain = sample_chain();
    let id = sample_id("tenant-10000", "name");
    let record = store.record(&id).await.unwrap().unwrap();
    let before = record.revision.get();
    let kek = record.sealed.as_ref().map(|sealed| sealed.kek);
    let mut scans = vec![Scan::All, Scan::Tenant(id.tenant().clone()), Scan::PurgePending];
    // Nearly all records are under the first, few under the second, none under the third.
    let keks = [kek.unwrap_or(rare()), rare(), KekId::random().unwrap()];
    scans.extend(keks.map(Scan::UnderKek));
    let of = record.sealed.as_ref().map_or([0; 32], |sealed| sealed.fingerprint);
    scans.extend([None, Some(id.tenant().clone())].map(|tenant| Scan::Fingerprint { of, tenant }));
    for after in [None, Some(TokenSet::of(&record))] {
        let during = Timestamp::from_millis(100)..Timestamp::from_millis(15_000);
        store.tokens_set(during, after.as_ref(), 10).await.unwrap();
    }
    let rare =
        AtProvider { provider: "nobody".parse().unwrap(), origin: "https://api.example".parse().unwrap() };
    let during = Timestamp::from_millis(5_000)..Timestamp::from_millis(6_000);
    for at in [&common(), &rare] {
        for after in [None, Some(ProbeTurn { due: Timestamp::from_millis(0), id: id.clone() })] {
            for last in [0, i64::MAX] {
                let due = Timestamp::from_millis(i64::MIN)..=Timestamp::from_millis(last);
                store.paused(at, due, after.as_ref(), 10).await.unwrap();
            }
        }
        for which in
            [Counted::Held, Counted::PausedDuring(during.clone()), Counted::StillPaused(during.clone())]
        {
            for limit in [6, 1000, u32::MAX] {
                store.count(at, &which, limit).await.unwrap();
            }
        }
    }
    for scan in &scans {
        for after in [None, Some(&id)] {
            for limit in [10, 1000] {
                store.scan(scan, after, limit).await.unwrap();
            }
        }
    }
    for scan in &scans {
        store.record_and_scan(&id, scan, 10).await.unwrap();
        store.commit_and_scan(&[sample_use(&id)], &chain, scan, 10).await.unwrap().unwrap();
    }
    let of_tenant = scans.iter().filter(|scan| matches!(scan, Scan::Fingerprint { tenant: Some(_), .. }));
    store.scan_each(&of_tenant.cycle().take(128).cloned().collect::<Vec<_>>(), 65).await.unwrap();
    store.scan_each(&scans, 10).await.unwrap();
    // Uses alone, one record, several records, a new one, a tombstone; a seal that a closed KEK refuses.
    store.commit(&[sample_use(&id)], &chain).await.unwrap();
    let next = sample_record(&id, before + 1);
    store.commit(&[sample_change(&next, Some(before))], &chain).await.unwrap();
    let name = format!("new-{}", KekId::random().unwrap());
    let new = sample_record(&sample_id("tenant-10001", &name), 1);
    let again = sample_record(&id, before + 2);
    store
        .commit(&[sample_change(&new, None), sample_change(&again, Some(before + 1))], &chain)
        .await
        .unwrap();
    store.commit(&[sample_change(&sample_tombstone(&new), Some(1))], &chain).await.unwrap();
    let now = Timestamp::now();
    assert!(store.lease_purge(&new.id, &PurgeLease { holder: [1; 16], now, until: now }).await.unwrap());
    let (incarnation, secret_version) = (again.incarnation, again.secret_version);
    let lease = ProbeLease { holder: [1; 16], incarnation, secret_version, now, until: now };
    assert!(store.lease_probe(&id, &lease).await.unwrap());
    let closed = KekId::random().unwrap();
    store.close_kek(&closed, NOW).await.unwrap();
    let mut refused = sample_record(&id, before + 3);
    refused.sealed.as_mut().unwrap().kek = closed;
    store.commit(&[sample_change(&refused, Some(before + 2))], &chain).await.unwrap_err();

    store.audit_heads().await.unwrap();
    store.audit_entries(shard_of(id.tenant()), 500, 10).await.unwrap();
    store.vault().await.unwrap();
    let vault = VaultRecord {
        id: VaultId::from_bytes([3; 16]),
        keys: vec![(VaultKeyPurpose::AuditMac, vec![1; 300])],
    };
    // There are records and no vault: it looks for them.
    store.init_vault(&vault).await.unwrap_err();
    store.scrub().await.unwrap();
    let number = store.checkpoint().await.unwrap().map_or(0, |last| last.number);
    store.put_checkpoint(&StoredCheckpoint { number: number + 1, note: format!("{round}") }).await.unwrap();
    store.checkpoint().await.unwrap();
}
