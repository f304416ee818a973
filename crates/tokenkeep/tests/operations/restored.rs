//! An old database is restored.

use std::collections::BTreeSet;

use tokenkeep::{ConnectionId, ErrorKind, Finding};
use tokenkeep_testkit::fake_token;

use crate::common::{account, token};
use crate::site::Site;

/// Tenant, connection and action of the exported lines behind a place.
fn behind(lines: &str, end: &str) -> Vec<(String, String, String)> {
    let end: Vec<u64> = end.split(',').map(|place| place.parse().unwrap()).collect();
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    lines
        .filter(|line| {
            let shard = usize::try_from(line["shard"].as_u64().unwrap()).unwrap();
            line["sequence"].as_u64().unwrap() > end[shard]
        })
        .map(|line| (text(&line["tenant"]), text(&line["connection"]), text(&line["action"])))
        .collect()
}

#[tokio::test]
async fn an_old_database_is_restored() {
    let site = Site::new();
    let (vault, store) = site.start("sink/checkpoints").await;
    for tenant in ["goes", "leaks", "replaces", "stays", "altered", "removed", "put-back", "altered-later"] {
        site.connect(&vault, tenant).await;
    }
    site.keep("put-back").await;
    let _ = vault.connection("put-back", "apify").unwrap().disconnect().await.unwrap();
    vault.checkpoint().await.unwrap();
    // Nobody has noticed it yet.
    site.sql(
        "UPDATE tokenkeep_connection SET mac = zeroblob(32) WHERE tenant = 'altered';
         DELETE FROM tokenkeep_connection WHERE tenant IN ('removed', 'put-back')",
    )
    .await;
    site.put_back().await;
    site.back_up("backup").await;

    // What happens after the backup.
    let _ = vault.connection("goes", "apify").unwrap().disconnect().await.unwrap();
    let mut response = vault.connection("leaks", "apify").unwrap().suspect_leak();
    while response.next().await.unwrap().is_some() {}
    site.provider.answer(Ok(account("replaces")));
    let replaced = vault.connection("replaces", "apify").unwrap();
    replaced.replace(&site.provider, token(&fake_token())).await.unwrap();
    site.sql("UPDATE tokenkeep_connection SET mac = zeroblob(32) WHERE tenant = 'altered-later'").await;
    let discarded = ["altered", "removed", "put-back", "altered-later"];
    for tenant in discarded {
        let _ = vault.connection(tenant, "apify").unwrap().discard_tampered(&site.provider).await.unwrap();
    }
    site.connect(&vault, "comes").await;
    site.connect(&vault, "visits").await;
    let _ = vault.connection("visits", "apify").unwrap().disconnect().await.unwrap();
    vault.flush().await.unwrap();
    vault.checkpoint().await.unwrap();
    let mut export = vault.audit().export();
    let mut lines = String::new();
    while let Some(page) = export.next().await.unwrap() {
        lines.push_str(&page);
    }
    let kept = export.cursor().to_string();

    drop(vault);
    store.close().await;
    site.restore("backup");

    // One that is started anew would use it: that is why nobody serves yet. Verify says what was done, and nothing else.
    let (vault, store) = site.start("sink/checkpoints").await;
    let findings = vault.verify().await.unwrap().findings;
    let was_there_before =
        |id: &ConnectionId| ["altered", "removed", "put-back"].contains(&id.tenant().as_str());
    let is_the_restore = |f: &Finding| match f {
        Finding::DatabasePutBack { .. } | Finding::TrailCut { .. } => true,
        // And what has a line `discarded`.
        Finding::RecordAltered { id }
        | Finding::RecordMissing { id }
        | Finding::RecordPutBack { id, .. }
        | Finding::RecordUnaccounted { id } => was_there_before(id),
        _ => false,
    };
    assert!(findings.iter().all(is_the_restore), "{findings:?}");
    assert!(findings.iter().any(|f| matches!(f, Finding::DatabasePutBack { .. })), "{findings:?}");
    assert_eq!(vault.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered, "into the old file");
    let mut end = vault.audit().export();
    while end.next().await.unwrap().is_some() {}
    let end = end.cursor();
    let lost = behind(&lines, &end.to_string());
    let error = vault.audit().export().after(kept.parse().unwrap()).next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered, "the export does not go on from the old place");
    assert!(site.given(&vault, "goes").await.is_ok(), "it is there again");
    let acted: BTreeSet<_> =
        lost.iter().map(|(tenant, _, action)| (tenant.as_str(), action.as_str())).collect();
    for expected in
        [("goes", "disconnected"), ("leaks", "suspected"), ("replaces", "replaced"), ("comes", "connected")]
    {
        assert!(acted.contains(&expected), "{expected:?} of {acted:?}");
    }
    assert!(acted.iter().all(|(tenant, _)| *tenant != "stays"), "{acted:?}");

    // Done again, before anybody is served.
    for (tenant, connection, action) in &lost {
        let connection = vault.connection_of(&ConnectionId::new(tenant, connection).unwrap());
        let done = match action.as_str() {
            "disconnected" => connection.disconnect().await.map(drop),
            "discarded" => match connection.discard_tampered(&site.provider).await {
                Err(error) if error.kind() == ErrorKind::Misuse => connection.disconnect().await.map(drop),
                done => done.map(drop),
            },
            "suspected" => connection.suspect_leak().finish().await.map(drop),
            _ => Ok(()),
        };
        let was_never_there = done.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotConnected);
        assert!(done.is_ok() || was_never_there, "{tenant} {action}: {done:?}");
        assert_eq!(was_never_there, tenant == "visits" && action == "disconnected", "{tenant} {action}");
    }
    drop(vault);
    store.close().await;

    let (vault, _store) = site.start("sink/new-checkpoints").await;
    vault.checkpoint().await.unwrap();
    let (mut export, mut lines) = (vault.audit().export().after(end), String::new());
    while let Some(page) = export.next().await.unwrap() {
        lines.push_str(&page);
    }
    let exported = behind(&lines, &end.to_string());
    for expected in [("goes", "disconnected"), ("leaks", "suspected")] {
        let found =
            exported.iter().filter(|(tenant, _, action)| (tenant.as_str(), action.as_str()) == expected);
        assert_eq!(found.count(), 1, "{expected:?} of {exported:?}");
    }
    for tenant in ["goes", "altered", "removed", "put-back", "altered-later"] {
        assert_eq!(site.given(&vault, tenant).await, Err(ErrorKind::NotConnected), "{tenant}");
        site.connect(&vault, tenant).await;
    }
    assert_eq!(site.given(&vault, "leaks").await, Err(ErrorKind::Suspected));
    assert_eq!(site.given(&vault, "comes").await, Err(ErrorKind::NotConnected));
    assert!(site.given(&vault, "stays").await.is_ok());
    assert!(vault.verify().await.unwrap().is_whole());
}
