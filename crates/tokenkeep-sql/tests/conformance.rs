//! The store keeps the contract.
use tokenkeep_sql::SqliteStore;
use tokenkeep_store::TokenStore;
#[tokio::test]
async fn smoke() {
    let d = tempfile::tempdir().unwrap();
    let s = SqliteStore::open(d.path().join("a/b/t.db")).await.unwrap();
    assert!(s.audit_heads().await.unwrap().len() == 16);
    println!("{:?}", s.scrub().await.unwrap());
    for f in std::fs::read_dir(d.path().join("a/b")).unwrap() {
        println!("{:?}", f.unwrap());
    }
    s.close().await;
    println!("{}", s.vault().await.unwrap_err());
}
