//! What the database holds of a set.

use tokenkeep_testkit::{LeakScanner, fake_token};

use crate::common::Fixture;
use crate::files::Files;
use crate::sets::{change, opened, records, vars};

/// P15: lengths tell nothing.
#[tokio::test]
async fn every_set_has_one_length_and_looks_like_no_other() {
    let f = Fixture::new().await;
    let full = "x".repeat(16 * 1024 - 3 - 3 - 1);
    let many: Vec<String> = (0..100).map(|n| format!("VARIABLE_{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (&**name, "y")).collect();
    let sets = [vars(&[]), vars(&[("A", "1")]), vars(&[("A", "1")]), vars(&[("A", &full)]), vars(&many)];
    let (mut lengths, mut fingerprints) = (Vec::new(), Vec::new());
    for (n, set) in sets.iter().enumerate() {
        let env = f.vault.secret_env("t", format!("set-{n}")).unwrap();
        env.create(&f.provider, set).await.unwrap();
        for changed in [false, true] {
            if changed {
                let first = set.names().next().unwrap_or("A");
                env.change(&change(&[(first, "2")], &[])).await.unwrap();
            }
            for record in records(&*f.store, "t", env.name()).await {
                let sealed = record.sealed.unwrap();
                lengths.push(sealed.envelope.len());
                fingerprints.push(sealed.fingerprint);
                assert_eq!(record.account, None);
            }
        }
    }
    assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
    assert!(lengths[0] > 16 * 1024);
    let all = fingerprints.len();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), all, "equal sets must not look equal");
}

/// P1 and P15: neither values nor names are in any file of the database, before and after it was changed, opened and removed.
#[tokio::test]
async fn no_file_of_the_database_holds_a_value_or_a_name() {
    let f = Files::new();
    let vault = f.fresh().await;
    let env = vault.secret_env("t", "scraper").unwrap();
    let (first, second) = (fake_token(), fake_token());
    let name = "A_NAME_THAT_TELLS_WHAT_IT_IS_FOR";
    env.create(&f.provider, &vars(&[(name, &first)])).await.unwrap();
    let scanner = LeakScanner::new()
        .token("the first value", &first)
        .token("the second value", &second)
        .secret("the name", name.as_bytes(), 12);
    let scan = || scanner.scan_dir(f.folder.path()).unwrap();
    assert_eq!(scan().len(), 0, "{:?}", scan());
    env.change(&change(&[(name, &second)], &[])).await.unwrap();
    assert_eq!(opened(&env).await.unwrap(), format!("{name}={second}"));
    let _ = env.suspect_leak().finish().await.unwrap();
    assert_eq!(scan().len(), 0, "{:?}", scan());
    let [values, index] = {
        let store = tokenkeep::SqliteStore::open(f.database()).await.unwrap();
        records(&store, "t", "scraper").await.map(|record| record.sealed.unwrap().envelope)
    };
    let _ = env.remove().await.unwrap();
    let sealed = LeakScanner::new().secret("values", &values[200..], 16).secret("index", &index[200..], 16);
    let left = sealed.scan_dir(f.folder.path().join("db")).unwrap();
    assert!(left.is_empty(), "sealed bytes are left: {left:?}");
    assert_eq!(scan().len(), 0);
    std::fs::write(f.folder.path().join("seen"), format!("{name} {second}")).unwrap();
    assert!(scan().len() >= 2, "the scan sees what there is");
}
