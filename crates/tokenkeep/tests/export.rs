//! The audit trail as JSON lines, read back with a JSON library.

mod common;

use common::{Fixture, give, token};
use serde_json::Value;
use tokenkeep::{Action, AuditCursor, AuditExport, Change, ErrorKind, TenantId, TokenStore, Vault};
use tokenkeep_store::shard_of;
use tokenkeep_testkit::fake_token;

/// Names that break a careless writer. None may hold a control character.
const ODD: [&str; 7] =
    ["a \"b\"", "back\\slash", "{\"tenant\":\"x\"},", "客户 🦀", "a'b;--%s$(x)", "</script>", "\\u0000\\n"];

async fn all(mut export: AuditExport) -> (Vec<Value>, AuditCursor) {
    let mut lines = Vec::new();
    while let Some(page) = export.next().await.unwrap() {
        assert!(page.ends_with('\n'));
        lines.extend(page.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    assert_eq!(export.next().await.unwrap(), None);
    (lines, export.cursor())
}

async fn lived(f: &Fixture, tenant: &str, name: &str) -> String {
    let connection = f.vault.connection(tenant, name).unwrap();
    let text = fake_token();
    connection.connect(&f.provider, token(&text)).await.unwrap();
    give(&connection.credential(), &f.provider).await.unwrap();
    text
}

#[tokio::test]
async fn each_entry_is_a_line() {
    let f = Fixture::new().await;
    let mut secrets = Vec::new();
    for odd in ODD {
        secrets.push(lived(&f, odd, odd).await);
    }
    let (lines, _) = all(f.vault.audit().export()).await;
    assert_eq!(lines.len(), 2 * ODD.len());
    for odd in ODD {
        let entries = f.vault.audit().of_tenant(odd, 0, 10).await.unwrap();
        let own: Vec<&Value> = lines.iter().filter(|line| line["tenant"] == *odd).collect();
        assert_eq!(own.len(), 2);
        for (line, entry) in own.into_iter().zip(&entries) {
            let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let draft = &entry.draft;
            let expected = serde_json::json!({
                "shard": entry.shard,
                "sequence": entry.sequence,
                "at": draft.at.to_string(),
                "action": draft.action.name(),
                "tenant": odd,
                "connection": odd,
                "incarnation": draft.incarnation.to_string(),
                "secret_version": draft.secret_version.get(),
                "revision": draft.revision.get(),
                "count": 1,
                "subject": null,
                "record_mac": draft.record_mac.map(|mac| hex(&mac)),
                "mac": hex(&entry.mac),
            });
            assert_eq!(*line, expected);
            assert_eq!(draft.record_mac.is_some(), draft.action == Action::Connected);
        }
    }
    assert_eq!(lines[0]["at"], "2027-01-15T08:00:00.000Z");
    let shown = serde_json::to_string(&lines).unwrap();
    assert!(secrets.iter().all(|secret| !shown.contains(&secret[10..])));
}

#[tokio::test]
async fn one_tenant_alone() {
    let f = Fixture::new().await;
    for n in 0..60 {
        lived(&f, &format!("tenant {n}"), "apify").await;
    }
    let (lines, cursor) = all(f.vault.audit().export().tenant("tenant 7").unwrap()).await;
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line["tenant"] == "tenant 7"));
    let (rest, _) = all(f.vault.audit().export().tenant("tenant 7").unwrap().after(cursor)).await;
    assert!(rest.is_empty());
    assert!(all(f.vault.audit().export().tenant("nobody").unwrap()).await.0.is_empty());
    assert_eq!(f.vault.audit().export().tenant("").unwrap_err().kind(), ErrorKind::InvalidName);
}

/// A long trail of a few tenants, and a subject that the database holds although no vault writes it so.
async fn long(f: &Fixture) {
    for n in 0..5 {
        lived(f, &format!("tenant {n}"), "apify").await;
    }
    let connection = f.vault.connection("any", "apify").unwrap();
    let prepared = connection.prepare_connect(&f.provider, token("a-fake-token")).await.unwrap();
    let uses: Vec<Change> = (0..4000)
        .map(|n| {
            let mut entry = prepared.change().entry.clone();
            entry.id = tokenkeep::ConnectionId::new(format!("tenant {}", n % 5), "apify").unwrap();
            (entry.action, entry.record_mac, entry.count) = (Action::Created, None, u64::MAX - n);
            entry.subject = Some(format!("run\n\"{n}\"\u{7f}\u{2028}"));
            Change { record: None, entry }
        })
        .collect();
    f.store.commit(&uses, prepared.chain()).await.unwrap();
}

#[tokio::test]
async fn it_goes_on_where_another_ended() {
    let f = Fixture::new().await;
    long(&f).await;
    let (whole, end) = all(f.vault.audit().export()).await;
    assert_eq!(whole.len(), 4010);
    assert_eq!(
        whole[1500]["count"].as_u64(),
        Some(
            u64::MAX
                - (whole[1500]["subject"].as_str().unwrap()[5..]
                    .split('"')
                    .next()
                    .unwrap()
                    .parse::<u64>()
                    .unwrap())
        )
    );
    // Interrupted behind each page; the cursor is kept as text.
    let (mut pieces, mut cursor) = (Vec::new(), AuditCursor::default());
    loop {
        let mut export = f.vault.audit().export().after(cursor.to_string().parse().unwrap());
        let Some(page) = export.next().await.unwrap() else { break };
        pieces.extend(page.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        cursor = export.cursor();
    }
    assert_eq!(pieces, whole);
    assert_eq!(cursor, end);
    // Later entries, of any chain, come in the next export, and not in one that began before them.
    let mut begun = f.vault.audit().export().after(end);
    assert_eq!(begun.next().await.unwrap(), None);
    for n in 0..10 {
        lived(&f, &format!("new {n}"), "apify").await;
    }
    assert_eq!(begun.next().await.unwrap(), None);
    assert_eq!(all(f.vault.audit().export().after(end)).await.0.len(), 20);
}

#[tokio::test]
async fn what_failed_is_given_by_the_next_call() {
    let f = Fixture::new().await;
    long(&f).await;
    let whole = all(f.vault.audit().export()).await;
    let unsteady = common::Unsteady::new(&f.store);
    let vault = Vault::open(unsteady.clone(), f.keys.clone()).await.unwrap();
    unsteady.hiccup.store(2, std::sync::atomic::Ordering::SeqCst);
    let mut export = vault.audit().export();
    let (mut lines, mut failed) = (Vec::new(), 0);
    loop {
        match export.next().await {
            Ok(Some(page)) => {
                lines.extend(page.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
            }
            Ok(None) => break,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
                failed += 1;
            }
        }
    }
    assert!(failed > 3);
    assert_eq!((lines, export.cursor()), whole);
}

#[tokio::test]
async fn a_place_beyond_the_end_is_refused() {
    let f = Fixture::new().await;
    for n in 0..20 {
        lived(&f, &format!("tenant {n}"), "apify").await;
    }
    let end = f.store.audit_heads().await.unwrap();
    let (_, cursor) = all(f.vault.audit().export()).await;
    // One chain alone is put back.
    let shard = shard_of(&TenantId::new("tenant 7").unwrap());
    let unsteady = common::Unsteady::new(&f.store);
    let vault = Vault::open(unsteady.clone(), f.keys.clone()).await.unwrap();
    let mut before = end.clone();
    before[usize::from(shard)].sequence -= 1;
    *unsteady.heads.lock().unwrap() = Some(before);
    let mut export = vault.audit().export().after(cursor);
    for _ in 0..2 {
        assert_eq!(export.next().await.unwrap_err().kind(), ErrorKind::Tampered);
    }
    assert_eq!(export.cursor(), cursor);
    for n in 0..20 {
        let tenant = TenantId::new(format!("tenant {n}")).unwrap();
        let mut export = vault.audit().export().tenant(tenant.as_str()).unwrap().after(cursor);
        let expected = if shard_of(&tenant) == shard { Err(ErrorKind::Tampered) } else { Ok(None) };
        assert_eq!(export.next().await.map_err(|error| error.kind()), expected, "{tenant}");
    }
    *unsteady.heads.lock().unwrap() = Some(end);
    assert_eq!(
        vault.audit().export().after(cursor).next().await.unwrap(),
        None,
        "at the end is no place beyond it"
    );
}
