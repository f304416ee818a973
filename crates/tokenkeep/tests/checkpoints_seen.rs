//! What a process takes for seen from a verification and from a checkpoint that it made, and what not.

mod common;
#[path = "common/files.rs"]
mod files;

use common::token;
use files::Files;
use tokenkeep::{ErrorKind, Finding, TrailCheck};
use tokenkeep_testkit::fake_token;

fn notes(f: &Files, first: usize) -> Vec<String> {
    f.checkpoints[..first].iter().map(|one| one.note().to_owned()).collect()
}

#[tokio::test]
async fn what_was_signed_was_seen() {
    let f = Files::new().await;
    // One that writes nothing itself, and signs up to the seventh entry.
    let signer = f.fresh().await;
    assert_eq!(signer.checkpoint().await.unwrap().entries(), 7);
    assert!(matches!(signer.check().await.trail, TrailCheck::Whole { .. }));
    // Database and sink are put back together.
    f.put_back("kept_2").await;
    f.sink.holds(&notes(&f, 2));
    assert!(f.fresh().await.verify().await.unwrap().is_whole(), "nobody else can know");
    assert!(matches!(signer.check().await.trail, TrailCheck::Broken { .. }));
    assert_eq!(signer.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered);
    let connection = signer.connection("t", "another").unwrap();
    let refused = connection.connect(&f.provider, token(&fake_token())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Tampered);
}

#[tokio::test]
async fn a_trail_with_findings_is_not_taken_for_seen() {
    let f = Files::new().await;
    f.keep("true_branch").await;
    // Put back to the third entry, and lived on with another process.
    f.put_back("kept_1").await;
    let other = f.fresh().await;
    for _ in 0..4 {
        f.replace(&other).await;
    }
    let verifier = f.fresh().await;
    let found = verifier.verify().await.unwrap().findings;
    assert!(found.iter().any(|finding| matches!(finding, Finding::TrailForked { .. })), "{found:?}");
    // The right database comes back: what was seen of the other one does not count against it.
    f.put_back("true_branch").await;
    assert_eq!(verifier.verify().await.unwrap().findings, []);
    let connection = verifier.connection("t", "another").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
}

#[tokio::test]
async fn what_was_verified_was_seen() {
    let f = Files::new().await;
    let verifier = f.fresh().await;
    assert!(verifier.verify().await.unwrap().is_whole());
    // Database and sink are put back together.
    f.put_back("kept_2").await;
    f.sink.holds(&notes(&f, 2));
    assert!(f.fresh().await.verify().await.unwrap().is_whole(), "nobody else can know");
    let found = verifier.verify().await.unwrap().findings;
    assert!(matches!(found[..], [Finding::HeadPutBack { sequence: 7, .. }]), "{found:?}");
}
