//! What `verify` sees with a checkpoint outside the database: every kind of tampering, named at its place. The database is
//! a real SQLite file, edited with SQL behind the vault's back.

mod common;
#[path = "common/files.rs"]
mod files;

use common::{Sink, give, token};
use files::{Files, TABLES, open};
use tokenkeep::{BadCheckpoint, CheckpointCopy, ConnectionId, ErrorKind, Finding};
use tokenkeep_store::shard_of;
use tokenkeep_testkit::fake_token;

fn id() -> ConnectionId {
    ConnectionId::new("t", "apify").unwrap()
}

fn shard() -> u16 {
    shard_of(id().tenant())
}

/// Cuts the trail behind this place, head and record included: the record of that time is put back from a copy.
fn cut(last: u64, kept: &str) -> String {
    format!(
        "DELETE FROM tokenkeep_audit WHERE sequence > {last};
         UPDATE tokenkeep_audit_head SET sequence = {last},
             mac = (SELECT mac FROM tokenkeep_audit WHERE sequence = {last}) WHERE shard = {};
         DELETE FROM tokenkeep_connection; INSERT INTO tokenkeep_connection SELECT * FROM {kept}_tokenkeep_connection;
         DELETE FROM tokenkeep_sealed; INSERT INTO tokenkeep_sealed SELECT * FROM {kept}_tokenkeep_sealed",
        shard()
    )
}

#[tokio::test]
async fn a_whole_trail_is_verified_up_to_the_last_checkpoint() {
    let f = Files::new().await;
    let found = f.fresh().await.verify().await.unwrap();
    assert!(found.is_whole());
    let last = &f.checkpoints[2];
    assert_eq!(found.checkpoint.map(|upto| (upto.number, upto.at)), Some((3, last.at())));
    assert_eq!(found.after_checkpoint, 1);
    let said = found.to_string();
    assert!(
        said.ends_with(&format!("whole; verified up to checkpoint 3 of {}, 1 entries after it", last.at()))
    );
    // An older one that an operator kept fits as well, and adds nothing.
    let against = f.vault.verify_against(f.checkpoints[0].note()).await.unwrap();
    assert_eq!((against.findings, against.checkpoint), (vec![], found.checkpoint));
    // Without a sink it is the one that is kept; without that, none.
    f.sink.holds(&[]);
    let against = f.vault.verify_against(f.checkpoints[1].note()).await.unwrap();
    assert_eq!((against.checkpoint.unwrap().number, against.after_checkpoint), (2, 3));
    let alone = f.vault.verify().await.unwrap();
    assert_eq!((alone.checkpoint, alone.after_checkpoint), (None, 7));
    assert!(alone.to_string().contains("no checkpoint outside"));
}

#[tokio::test]
async fn a_trail_cut_behind_a_checkpoint_is_named() {
    // Cut whole: entries, head and record. Nothing in the database but the last checkpoint tells; then not even that.
    for checkpoint_too in [false, true] {
        let f = Files::new().await;
        f.edit(&cut(4, "kept_1")).await;
        if checkpoint_too {
            f.edit("DELETE FROM tokenkeep_checkpoint; INSERT INTO tokenkeep_checkpoint SELECT * FROM kept_1_tokenkeep_checkpoint").await;
        }
        let found = f.fresh().await.verify().await.unwrap();
        let trail = Finding::TrailCut { shard: shard(), found: 4, expected: 6, checkpoint: 3 };
        let expected = match checkpoint_too {
            true => vec![Finding::DatabasePutBack { found: Some(1), exported: 3 }, trail],
            false => vec![trail],
        };
        assert_eq!(found.findings, expected);
        assert_eq!((found.checkpoint, found.after_checkpoint), (None, 4));
        // The last one that the trail passes through, if an operator has it.
        let against = f.fresh().await.verify_against(f.checkpoints[1].note()).await.unwrap();
        assert_eq!(against.checkpoint.unwrap().number, 2);
        assert!(f.fresh().await.checkpoint().await.is_err(), "and no checkpoint is made over it");
    }
}

#[tokio::test]
async fn a_cut_after_the_last_checkpoint_is_not_seen_and_said_to_be() {
    let f = Files::new().await;
    f.keep("seven").await;
    f.replace(&f.vault).await;
    f.put_back("seven").await;
    let found = f.fresh().await.verify().await.unwrap();
    assert_eq!(found.findings, []);
    assert_eq!(found.after_checkpoint, 1, "there were two");
    // The process that saw it knows, in verify and in the next change.
    let seen = f.vault.verify().await.unwrap();
    assert_eq!(seen.findings, [Finding::HeadPutBack { shard: shard(), sequence: 8 }]);
    let again = f.vault.connection("t", "apify").unwrap();
    let refused = again.connect(&f.provider, token(&fake_token())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Tampered);
    let other = f.vault.connection("t", "another").unwrap();
    let refused = other.connect(&f.provider, token(&fake_token())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Tampered, "a connection whose record it never saw");
    assert_eq!(other.status().await.unwrap().connected_at, None);
    assert_eq!(f.vault.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered);
}

#[tokio::test]
async fn a_database_put_back_whole_is_named() {
    let f = Files::new().await;
    f.put_back("kept_1").await;
    let fresh = f.fresh().await;
    assert_eq!(
        fresh.verify().await.unwrap().findings,
        [
            Finding::DatabasePutBack { found: Some(1), exported: 3 },
            Finding::TrailCut { shard: shard(), found: 4, expected: 6, checkpoint: 3 },
        ]
    );
    assert!(
        give(&fresh.connection("t", "apify").unwrap().credential(), &f.provider).await.is_ok(),
        "it opens"
    );
    assert_eq!(fresh.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered);

    // It goes on, beside what was: three entries more, of which the first two have the places of the lost ones.
    for _ in 0..3 {
        f.replace(&fresh).await;
    }
    assert_eq!(
        f.findings().await,
        [
            Finding::DatabasePutBack { found: Some(1), exported: 3 },
            Finding::TrailForked { shard: shard(), sequence: 6, checkpoint: 3 },
        ]
    );
    assert_eq!(fresh.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered, "the sink is ahead of it");

    // To before there was any checkpoint.
    f.put_back("kept_0").await;
    let found = f.findings().await;
    assert_eq!(found[0], Finding::DatabasePutBack { found: None, exported: 3 });
    assert_eq!(f.fresh().await.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered);
}

#[tokio::test]
async fn a_database_put_back_with_its_sink_is_named_by_what_an_operator_kept() {
    let f = Files::new().await;
    f.put_back("kept_1").await;
    f.sink.holds(&f.sink.kept()[..1]);
    assert_eq!(f.findings().await, [], "nothing is left that could tell");
    let fresh = f.fresh().await;
    let against = fresh.verify_against(f.checkpoints[2].note()).await.unwrap();
    assert_eq!(against.findings[0], Finding::DatabasePutBack { found: Some(1), exported: 3 });
    // It goes on and makes checkpoints of its own, of the same numbers.
    for number in 2..4 {
        f.replace(&fresh).await;
        f.replace(&fresh).await;
        assert_eq!(fresh.checkpoint().await.unwrap().number(), number);
    }
    assert_eq!(f.findings().await, []);
    let against = fresh.verify_against(f.checkpoints[2].note()).await.unwrap();
    assert_eq!(
        against.findings,
        [
            Finding::CheckpointsForked {
                number: 3,
                one: CheckpointCopy::Database,
                other: CheckpointCopy::Kept
            },
            Finding::TrailForked { shard: shard(), sequence: 6, checkpoint: 3 },
        ]
    );
}

#[tokio::test]
async fn an_emptied_database_is_named() {
    let f = Files::new().await;
    f.edit(&TABLES[..8].iter().map(|table| format!("DELETE FROM {table};")).collect::<String>()).await;
    let fresh = f.fresh().await;
    assert_ne!(fresh.id(), f.vault.id());
    assert_eq!(
        fresh.verify().await.unwrap().findings,
        [Finding::CheckpointAltered { copy: CheckpointCopy::Sink, why: BadCheckpoint::OtherVault }]
    );
    assert_eq!(fresh.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered);
}

#[tokio::test]
async fn the_databases_own_checkpoint_is_watched_too() {
    let database = |why| Finding::CheckpointAltered { copy: CheckpointCopy::Database, why };
    for (sql, finding) in [
        ("DELETE FROM tokenkeep_checkpoint", Finding::CheckpointPutBack { found: None, exported: 3 }),
        (
            "DELETE FROM tokenkeep_checkpoint; INSERT INTO tokenkeep_checkpoint SELECT * FROM kept_2_tokenkeep_checkpoint",
            Finding::CheckpointPutBack { found: Some(2), exported: 3 },
        ),
        ("UPDATE tokenkeep_checkpoint SET number = 4", database(BadCheckpoint::Malformed)),
        ("UPDATE tokenkeep_checkpoint SET number = -4", database(BadCheckpoint::Malformed)),
        ("UPDATE tokenkeep_checkpoint SET note = ''", database(BadCheckpoint::Malformed)),
        (
            "UPDATE tokenkeep_checkpoint SET note = replace(note, 'number 3', 'number 4'), number = 4",
            database(BadCheckpoint::BadSignature),
        ),
        (
            "UPDATE tokenkeep_checkpoint SET note = replace(note, '— tokenkeep/', '— tokenkeep/0')",
            database(BadCheckpoint::OtherVault),
        ),
    ] {
        let f = Files::new().await;
        f.edit(sql).await;
        assert_eq!(f.findings().await, std::slice::from_ref(&finding), "{sql}");
        assert_eq!(f.fresh().await.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered, "{sql}");
        assert_eq!(f.findings().await, [finding], "a refused call changed something: {sql}");
    }
}

#[tokio::test]
async fn a_sink_with_other_checkpoints_is_named() {
    let (f, other) = (Files::new().await, Files::new().await);
    let sink = |why| vec![Finding::CheckpointAltered { copy: CheckpointCopy::Sink, why }];
    // A run of its own, signed by the same vault: the database at another time, with a sink of its own.
    let beside = Sink::new();
    f.keep("now").await;
    f.put_back("kept_0").await;
    let forked = open(&f.folder, &beside).await;
    for _ in 0..3 {
        f.replace(&forked).await;
        forked.checkpoint().await.unwrap();
    }
    f.put_back("now").await;
    let (own, beside) = (f.sink.kept(), beside.kept());
    for (kept, expected) in [
        (vec![own[0].replace("number 1", "number 7")], sink(BadCheckpoint::BadSignature)),
        (vec!["no note".to_owned()], sink(BadCheckpoint::Malformed)),
        (other.sink.kept(), sink(BadCheckpoint::OtherVault)),
        (
            beside.clone(),
            vec![
                Finding::CheckpointsForked {
                    number: 3,
                    one: CheckpointCopy::Database,
                    other: CheckpointCopy::Sink,
                },
                Finding::TrailForked { shard: shard(), sequence: 5, checkpoint: 3 },
            ],
        ),
        (
            beside[..2].to_vec(), // the database's third holds the digest of another second
            vec![
                Finding::CheckpointsForked {
                    number: 2,
                    one: CheckpointCopy::Sink,
                    other: CheckpointCopy::Database,
                },
                Finding::TrailForked { shard: shard(), sequence: 4, checkpoint: 2 },
            ],
        ),
    ] {
        f.sink.holds(&kept);
        assert_eq!(f.findings().await, expected);
        assert_eq!(f.fresh().await.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered);
        assert_eq!(f.sink.kept(), kept, "nothing was delivered to it");
    }
    f.sink.holds(&own);
    assert_eq!(f.findings().await, []);
}

#[tokio::test]
async fn a_kept_note_that_is_none_is_named() {
    let f = Files::new().await;
    let note = f.checkpoints[1].note();
    for (note, why) in [
        ("", BadCheckpoint::Malformed),
        (note.trim_end(), BadCheckpoint::Malformed),
        (&note.replace("number 2", "number 3"), BadCheckpoint::BadSignature),
        (Files::new().await.checkpoints[1].note(), BadCheckpoint::OtherVault),
    ] {
        let found = f.vault.verify_against(note).await.unwrap();
        assert_eq!(found.findings, [Finding::CheckpointAltered { copy: CheckpointCopy::Kept, why }]);
    }
}

#[tokio::test]
async fn every_other_kind_of_tampering_is_still_named_at_its_place() {
    let shard = shard();
    let altered = |sequence| Finding::EntryAltered { shard, sequence };
    for (sql, expected) in [
        ("UPDATE tokenkeep_audit SET at = at + 1 WHERE sequence = 3", altered(3)),
        ("UPDATE tokenkeep_audit SET action = 'no action' WHERE sequence = 5", altered(5)),
        ("UPDATE tokenkeep_audit SET mac = zeroblob(32) WHERE sequence = 7", altered(7)),
        ("DELETE FROM tokenkeep_audit WHERE sequence = 1", altered(1)),
        ("DELETE FROM tokenkeep_audit WHERE sequence = 4", altered(4)),
        (
            "CREATE TABLE c AS SELECT * FROM tokenkeep_audit WHERE sequence = 7; UPDATE c SET sequence = 8;
             INSERT INTO tokenkeep_audit SELECT * FROM c",
            altered(8),
        ),
        (
            "UPDATE tokenkeep_audit SET sequence = 9 WHERE sequence = 2;
             UPDATE tokenkeep_audit SET sequence = 2 WHERE sequence = 3;
             UPDATE tokenkeep_audit SET sequence = 3 WHERE sequence = 9",
            altered(2),
        ),
        ("DELETE FROM tokenkeep_audit WHERE sequence = 7", Finding::HeadAltered { shard }),
        ("UPDATE tokenkeep_audit_head SET mac = zeroblob(32)", Finding::HeadAltered { shard }),
        ("UPDATE tokenkeep_connection SET status = 'paused'", Finding::RecordAltered { id: id() }),
        ("DELETE FROM tokenkeep_connection", Finding::RecordMissing { id: id() }),
        (
            "DELETE FROM tokenkeep_connection; INSERT INTO tokenkeep_connection SELECT * FROM kept_2_tokenkeep_connection;
             DELETE FROM tokenkeep_sealed; INSERT INTO tokenkeep_sealed SELECT * FROM kept_2_tokenkeep_sealed",
            Finding::RecordPutBack { id: id(), found: tokenkeep::Revision::from_u64(6), expected: tokenkeep::Revision::from_u64(7) },
        ),
    ] {
        let f = Files::new().await;
        f.edit(sql).await;
        let found = f.findings().await;
        assert_eq!(found, [expected], "{sql}");
    }
}

#[tokio::test]
async fn what_was_altered_since_the_last_checkpoint_is_not_signed() {
    for sql in [
        "UPDATE tokenkeep_audit SET at = at + 1 WHERE sequence = 7",
        "UPDATE tokenkeep_audit SET mac = zeroblob(32) WHERE sequence = 7;
         UPDATE tokenkeep_audit_head SET mac = zeroblob(32) WHERE sequence = 7",
        "DELETE FROM tokenkeep_audit WHERE sequence = 7",
        "UPDATE tokenkeep_audit_head SET sequence = 9, mac = randomblob(32) WHERE sequence = 7",
        "UPDATE tokenkeep_audit_head SET mac = randomblob(32) WHERE sequence = 7",
    ] {
        let f = Files::new().await;
        f.edit(sql).await;
        assert_eq!(f.fresh().await.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered, "{sql}");
        assert_eq!(f.sink.kept().len(), 3, "{sql}");
        assert_eq!(f.findings().await.len(), 1, "{sql}");
    }
}
