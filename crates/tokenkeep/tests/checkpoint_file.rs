//! The sink in a file: what it keeps, what it survives and what it refuses.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use common::{Fixture, token};
use tokenkeep::{Checkpoint, CheckpointFile, CheckpointSink, Error, ErrorKind, Vault};

struct Made {
    f: Fixture,
    file: PathBuf,
    checkpoints: Vec<Checkpoint>,
}

/// A vault whose trail grew between each two of so many checkpoints. They are delivered elsewhere.
async fn made(count: usize) -> Made {
    let f = Fixture::new().await;
    let elsewhere = common::Sink::new();
    let options = Vault::options().clock(f.clock.clone()).checkpoints(elsewhere);
    let vault = options.open(f.store.clone(), f.keys.clone()).await.unwrap();
    let mut checkpoints = Vec::new();
    for n in 0..count {
        checkpoints.push(vault.checkpoint().await.unwrap());
        let connection = vault.connection(format!("tenant {n}"), "apify").unwrap();
        connection.connect(&f.provider, token("a-fake-token")).await.unwrap();
    }
    let file = f.folder.path().join("audit/checkpoints");
    Made { f, file, checkpoints }
}

impl Made {
    async fn sink(&self) -> CheckpointFile {
        CheckpointFile::open_or_create(&self.file).await.unwrap()
    }

    fn notes(&self, numbers: std::ops::Range<usize>) -> String {
        self.checkpoints[numbers].iter().map(Checkpoint::note).collect()
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn it_keeps_each_once_and_in_order() {
    let made = made(40).await;
    assert_eq!(kind(CheckpointFile::open(&made.file).await), ErrorKind::SinkUnavailable, "not made unasked");
    let sink = made.sink().await;
    assert_eq!(sink.last().await.unwrap(), None);
    for (place, checkpoint) in made.checkpoints.iter().enumerate() {
        sink.deliver(checkpoint).await.unwrap();
        sink.deliver(checkpoint).await.unwrap();
        sink.deliver(&made.checkpoints[place / 2]).await.unwrap();
        assert_eq!(sink.last().await.unwrap().as_deref(), Some(checkpoint.note()));
    }
    assert_eq!(fs::read_to_string(&made.file).unwrap(), made.notes(0..40));
    let again = CheckpointFile::open(&made.file).await.unwrap();
    assert_eq!(again.last().await.unwrap().as_deref(), Some(made.checkpoints[39].note()));
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&made.file), mode(made.file.parent().unwrap())), (0o600, 0o700));
}

#[tokio::test]
async fn what_a_crash_left_at_its_end_is_cut_off() {
    let made = made(3).await;
    let sink = made.sink().await;
    let (whole, note) = (made.notes(0..2), made.checkpoints[2].note());
    let zeroes = "\0".repeat(1000);
    for kept in (0..note.len()).filter(|place| note.is_char_boundary(*place)) {
        for rest in ["", &zeroes] {
            fs::write(&made.file, format!("{whole}{}{rest}", &note[..kept])).unwrap();
            assert_eq!(sink.last().await.unwrap().as_deref(), Some(made.checkpoints[1].note()), "{kept}");
            if kept % 97 == 0 {
                sink.deliver(&made.checkpoints[2]).await.unwrap();
                assert_eq!(fs::read_to_string(&made.file).unwrap(), made.notes(0..3), "{kept}");
            }
        }
    }
    // The first one too.
    fs::write(&made.file, &made.checkpoints[0].note()[..30]).unwrap();
    assert_eq!(sink.last().await.unwrap(), None);
    sink.deliver(&made.checkpoints[0]).await.unwrap();
    assert_eq!(fs::read_to_string(&made.file).unwrap(), made.notes(0..1));
}

#[tokio::test]
async fn another_file_is_left_as_it_is() {
    let made = made(1).await;
    made.sink().await;
    let note = made.checkpoints[0].note();
    for other in [
        "root:x:0:0:root:/root:/bin/bash\n".to_owned(),
        "x".repeat(100_000),
        format!("{note}something else"),
        format!("{note}{}", "\0".repeat(10_000)),
    ] {
        fs::write(&made.file, &other).unwrap();
        assert_eq!(kind(CheckpointFile::open(&made.file).await), ErrorKind::Tampered);
        let sink = CheckpointFile::open_or_create(&made.file).await;
        assert_eq!(kind(sink), ErrorKind::Tampered);
        assert_eq!(fs::read_to_string(&made.file).unwrap(), other);
    }
}

#[tokio::test]
async fn a_fork_is_refused() {
    let (one, other) = (made(6).await, made(6).await);
    let sink = one.sink().await;
    for checkpoint in &one.checkpoints[..4] {
        sink.deliver(checkpoint).await.unwrap();
    }
    // Of the numbers that it has, the last and older ones; and the next one, which does not follow.
    for number in [0, 2, 3, 4] {
        let refused = sink.deliver(&other.checkpoints[number]).await;
        assert_eq!(kind(refused), ErrorKind::Tampered, "number {}", number + 1);
    }
    assert_eq!(fs::read_to_string(&one.file).unwrap(), one.notes(0..4));
    sink.deliver(&one.checkpoints[5]).await.unwrap();
    assert_eq!(sink.last().await.unwrap().as_deref(), Some(one.checkpoints[5].note()), "a gap is none");
    drop(one.f);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_that_deliver_at_once_leave_whole_notes() {
    let made = made(8).await;
    let sinks = [made.sink().await, made.sink().await];
    for place in 0..8 {
        let racing: Vec<_> = (0..6)
            .map(|n| {
                let (sink, checkpoint) = (sinks[n % 2].clone(), made.checkpoints[place].clone());
                tokio::spawn(async move { sink.deliver(&checkpoint).await })
            })
            .collect();
        for racer in racing {
            racer.await.unwrap().unwrap();
        }
    }
    assert_eq!(fs::read_to_string(&made.file).unwrap(), made.notes(0..8));
}

#[tokio::test]
async fn it_waits_for_another_process_that_writes() {
    let (one, other) = (made(1).await, made(1).await);
    let sink = one.sink().await;
    let held = fs::OpenOptions::new().append(true).open(&one.file).unwrap();
    held.lock().unwrap();
    let waiting = {
        let (sink, checkpoint) = (sink.clone(), one.checkpoints[0].clone());
        tokio::spawn(async move { sink.deliver(&checkpoint).await })
    };
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    fs::write(&one.file, other.notes(0..1)).unwrap();
    held.unlock().unwrap();
    assert_eq!(kind(waiting.await.unwrap()), ErrorKind::Tampered, "it read the file before it had the lock");
    assert_eq!(fs::read_to_string(&one.file).unwrap(), other.notes(0..1));
}
