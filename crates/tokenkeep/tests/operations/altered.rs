//! Records were altered.

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tokenkeep::{Action, ConnectionId, ConnectionState, Error, ErrorKind, Finding, Provider, Vault};
use tokenkeep_store::shard_of;
use tokenkeep_testkit::fake_token;

use crate::common::{Scripted, give, token};
use crate::site::Site;

/// As the page has it, but for what it prints.
pub(crate) async fn end_altered<'p>(
    vault: &Vault,
    provider_of: impl Fn(&ConnectionId) -> &'p dyn Provider,
) -> Result<Vec<ConnectionId>, Error> {
    let mut left = Vec::new();
    for finding in vault.verify().await?.findings {
        let (Finding::RecordAltered { id }
        | Finding::RecordPutBack { id, .. }
        | Finding::RecordMissing { id }
        | Finding::RecordUnaccounted { id }) = finding
        else {
            continue;
        };
        match vault.connection_of(&id).discard_tampered(provider_of(&id)).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Misuse => {}
            Err(_) => left.push(id),
        }
    }
    Ok(left)
}

#[tokio::test]
async fn records_were_altered() {
    let site = Site::new();
    let other = Scripted::named("other", "https://api.other.example");
    let (vault, store) = site.start("sink/checkpoints").await;
    let ended = ["altered", "missing", "unreadable", "put-back"];
    for tenant in ended.into_iter().chain(["stays"]) {
        site.connect(&vault, tenant).await;
    }
    let second = vault.connection("stays", "other").unwrap();
    second.connect(&other, token(&fake_token())).await.unwrap();
    // One whose chain of the trail is nobody else's.
    let shard = |tenant: &str| shard_of(ConnectionId::new(tenant, "apify").unwrap().tenant());
    let taken: Vec<u16> = ended.into_iter().chain(["stays"]).map(shard).collect();
    let stuck = (0..).map(|n| format!("a-{n}")).find(|name| !taken.contains(&shard(name))).unwrap();
    site.connect(&vault, &stuck).await;
    site.keep("put-back").await;
    let _ = vault.connection("put-back", "apify").unwrap().disconnect().await.unwrap();
    vault.checkpoint().await.unwrap();
    site.sql(
        "UPDATE tokenkeep_connection SET origin = 'https://evil.example' WHERE tenant = 'altered' OR name = 'other';
         DELETE FROM tokenkeep_connection WHERE tenant IN ('missing', 'put-back');
         UPDATE tokenkeep_connection SET revision = -1 WHERE tenant = 'unreadable'",
    )
    .await;
    site.put_back().await;
    site.sql(
        "CREATE TABLE planted AS SELECT * FROM tokenkeep_connection WHERE tenant = 'stays' AND name = 'apify';
         UPDATE planted SET name = char(7); INSERT INTO tokenkeep_connection SELECT * FROM planted",
    )
    .await;
    let of_stuck = shard(&stuck);
    site.sql(&format!(
        "UPDATE tokenkeep_connection SET mac = zeroblob(32) WHERE tenant = '{stuck}';
         UPDATE tokenkeep_audit_head SET sequence = 0 WHERE shard = {of_stuck}"
    ))
    .await;
    drop(vault);
    store.close().await;

    let (vault, _store) = site.start("sink/checkpoints").await;
    assert!(site.given(&vault, "put-back").await.is_ok(), "a process that was just started can't know");
    let customers_try = vault.connection("altered", "apify").unwrap();
    assert_eq!(customers_try.disconnect().await.unwrap_err().kind(), ErrorKind::Tampered);
    let provider_of = |id: &ConnectionId| -> &dyn Provider {
        if id.name().as_str() == "other" { &other } else { &site.provider }
    };
    // One that can't be ended keeps no other from it.
    for _ in 0..10 {
        let left = end_altered(&vault, provider_of).await.unwrap();
        assert!(left.iter().all(|id| id.tenant().as_str() == stuck), "{left:?}");
    }
    for (tenant, name) in ended.map(|tenant| (tenant, "apify")).into_iter().chain([("stays", "other")]) {
        let status = vault.connection(tenant, name).unwrap().status().await.unwrap();
        assert_eq!(status.state, ConnectionState::Disconnected, "{tenant} {name}");
        assert_eq!(status.provider.unwrap().as_str(), name);
    }
    // What the trail's own head lacks is put right by hand, and so is the row that is nobody's.
    assert!(!vault.verify().await.unwrap().is_whole());
    site.sql(&format!("UPDATE tokenkeep_audit_head SET sequence = 1 WHERE shard = {of_stuck}")).await;
    let nobodys: Vec<(String, String)> = {
        let mut database = SqliteConnectOptions::new().filename(site.database()).connect().await.unwrap();
        let sql =
            "SELECT tenant, name FROM tokenkeep_connection EXCEPT SELECT tenant, name FROM tokenkeep_audit";
        sqlx::query_as(sql).fetch_all(&mut database).await.unwrap()
    };
    assert_eq!(nobodys, [("stays".to_owned(), "\u{7}".to_owned())]);
    site.sql("DELETE FROM tokenkeep_connection WHERE tenant = 'stays' AND name = char(7)").await;
    for _ in 0..2 {
        assert_eq!(end_altered(&vault, provider_of).await.unwrap(), []);
    }
    let found = vault.verify().await.unwrap();
    assert!(found.is_whole(), "{:?}", found.findings);

    for tenant in ended.into_iter().chain([&stuck[..]]) {
        let entries = vault.audit().of_tenant(tenant, 0, 100).await.unwrap();
        let last = &entries.last().unwrap().draft;
        assert_eq!(last.action, Action::Discarded, "{tenant}");
        let expected = if tenant == "unreadable" || tenant == stuck { "altered" } else { tenant };
        assert_eq!(last.subject.as_deref(), Some(expected));
        site.connect(&vault, tenant).await;
        assert!(site.given(&vault, tenant).await.is_ok());
    }
    let second = vault.connection("stays", "other").unwrap();
    second.connect(&other, token(&fake_token())).await.unwrap();
    assert!(give(&second.credential(), &other).await.is_ok());
    assert!(site.given(&vault, "stays").await.is_ok());
    vault.checkpoint().await.unwrap();
    assert!(vault.verify().await.unwrap().is_whole());
}
