//! What a program is given, and what comes back of it.
#![cfg(unix)]

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fs, io};

use tokenkeep::{HiddenValues, RedactedRead, SecretCommand, SecretCommandError, SecretVars};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// No test waits longer for what must come.
const LIMIT: Duration = Duration::from_secs(60);

const VALUE: &str = "example+value/with \"every\" kind";

fn secrets(vars: &[(&str, &str)]) -> SecretVars {
    let mut set = SecretVars::new();
    vars.iter().for_each(|(name, value)| set.set(name, (*value).to_owned()).unwrap());
    set
}

async fn said(command: SecretCommand, secrets: &SecretVars) -> (String, String) {
    let child = command.spawn(secrets).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = tokio::time::timeout(LIMIT, child.relay(&mut out, &mut err)).await.unwrap().unwrap();
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&err));
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn shell(script: &str) -> SecretCommand {
    SecretCommand::new("sh").args(["-c", script])
}

#[tokio::test]
async fn values_come_back_as_names_in_whatever_form() {
    let script = r#"
        printf '%s\n' "$THE_VALUE"
        printf '%s' "$THE_VALUE" | base64
        printf 'user:%s' "$THE_VALUE" | base64 >&2
        printf '%s' "$THE_VALUE" | od -An -v -tx1 | tr -d ' \n'; echo
        printf 'example%%2Bvalue%%2Fwith+%%22every%%22+kind\n' >&2
        printf '%s' "${THE_VALUE%????????}"; printf '%s\n' "${THE_VALUE#"${THE_VALUE%????????}"}"
    "#;
    let (out, err) = said(shell(script), &secrets(&[("THE_VALUE", VALUE)])).await;
    let lines: Vec<&str> = out.lines().collect();
    // Base64 shares a character with its padding.
    assert_eq!(lines[0], "[hidden THE_VALUE]");
    assert!(lines[1].starts_with("[hidden THE_VALUE]") && lines[1].len() <= 18 + 4, "{}", lines[1]);
    assert_eq!(lines[2..], ["[hidden THE_VALUE]", "[hidden THE_VALUE]"]);
    assert!(err.contains("[hidden THE_VALUE]") && err.ends_with("\n[hidden THE_VALUE]\n"), "{err}");
}

#[tokio::test]
async fn the_environment_holds_what_was_given_and_little_else() {
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "there is something to be kept out");
    let command = shell("env | sed 's/=.*//'; echo \"$THE_VALUE\" | wc -c")
        .env("PLAIN", "one")
        .inherit("CARGO_PKG_NAME");
    let (out, _) = said(command, &secrets(&[("THE_VALUE", VALUE)])).await;
    let mut names: Vec<&str> = out.lines().collect();
    assert_eq!(names.pop().unwrap().trim(), (VALUE.len() + 1).to_string());
    for name in ["PLAIN", "THE_VALUE", "CARGO_PKG_NAME", "PATH"] {
        assert!(names.contains(&name), "{name}");
    }
    // The shell adds some of its own.
    let known = [
        "PLAIN",
        "THE_VALUE",
        "CARGO_PKG_NAME",
        "PATH",
        "HOME",
        "LANG",
        "TZ",
        "TERM",
        "TMPDIR",
        "PWD",
        "SHLVL",
        "_",
        "OLDPWD",
    ];
    names.retain(|name| !known.contains(name) && !name.starts_with("LC_"));
    assert!(names.is_empty(), "{names:?}");
}

#[tokio::test]
async fn what_would_take_the_program_over_is_refused_unless_allowed() {
    for name in ["LD_PRELOAD", "PATH", "NODE_OPTIONS"] {
        let refused = shell("true").spawn(&secrets(&[(name, VALUE)])).unwrap_err();
        assert!(matches!(refused, SecretCommandError::TakesOver(taken) if taken == name));
        let refused = shell("true").env(name, "x").spawn(&SecretVars::new()).unwrap_err();
        assert!(matches!(refused, SecretCommandError::TakesOver(taken) if taken == name));
    }
    let command = shell("echo $NODE_OPTIONS").allow_name("NODE_OPTIONS");
    assert_eq!(
        said(command, &secrets(&[("NODE_OPTIONS", "--no-warnings")])).await.0,
        "[hidden NODE_OPTIONS]\n"
    );
    assert!(matches!(
        shell("true").env("A=B", "x").spawn(&SecretVars::new()),
        Err(SecretCommandError::BadName)
    ));
    let missing =
        SecretCommand::new("/no/such/program").spawn(&secrets(&[("THE_VALUE", VALUE)])).unwrap_err();
    assert!(matches!(missing, SecretCommandError::Start(_)));
    assert!(!format!("{missing:?} {missing}").contains("example"));
}

#[tokio::test]
async fn what_cannot_be_hidden_is_refused_unless_allowed() {
    let vars = secrets(&[("PIN", "123"), ("EMPTY", ""), ("THE_VALUE", VALUE)]);
    let refused = shell("true").spawn(&vars).unwrap_err();
    assert!(matches!(&refused, SecretCommandError::Unredacted(names) if *names == ["PIN"]), "{refused}");
    let (out, _) = said(shell("echo $PIN $THE_VALUE").allow_unredacted("PIN"), &vars).await;
    assert_eq!(out, "123 [hidden THE_VALUE]\n");
}

/// The pipe of a killed program ends as any other does.
#[tokio::test]
async fn a_program_that_is_killed_within_a_value_shows_nothing_of_it() {
    let script =
        "printf '%s and %s' \"$THE_VALUE\" \"${THE_VALUE%?}\"; printf %s \"${THE_VALUE%?}\" >&2; kill -9 $$";
    let child = shell(script).spawn(&secrets(&[("THE_VALUE", VALUE)])).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = tokio::time::timeout(LIMIT, child.relay(&mut out, &mut err)).await.unwrap().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    assert_eq!(String::from_utf8(out).unwrap(), "[hidden THE_VALUE] and [hidden THE_VALUE]");
    assert_eq!(String::from_utf8(err).unwrap(), "[hidden THE_VALUE]");
}

#[tokio::test]
async fn a_value_in_the_open_is_refused_unless_allowed() {
    let vars = secrets(&[("OTHER", "another example"), ("THE_VALUE", VALUE)]);
    let url = "https://example.com/?p=example%2Bvalue%2Fwith%20%22every%22%20kind";
    for command in [
        shell("true").args([VALUE]),
        shell("true").args(["-p", url]),
        shell("true").env("PLAIN", format!("<{VALUE}>")),
        SecretCommand::new(VALUE),
    ] {
        let refused = command.spawn(&vars).unwrap_err();
        assert!(matches!(&refused, SecretCommandError::InTheOpen(name) if name == "THE_VALUE"), "{refused}");
        let shown = format!("{command:?} {refused:?} {refused}");
        assert!(!shown.contains("every") && !shown.contains("example.com"), "{shown}");
    }
    let command = shell("true").args([VALUE]).allow_unredacted("THE_VALUE");
    said(command, &vars).await;
}

/// A pipe holds 64 KiB: whoever read them one after the other would wait for ever.
#[tokio::test]
async fn both_streams_are_passed_on_at_once() {
    let script = "i=0; while [ $i -lt 40 ]; do head -c 9000 /dev/zero | tr '\\0' ! >&2; head -c 9000 /dev/zero | tr '\\0' !; i=$((i+1)); done";
    let (out, err) = said(shell(script), &secrets(&[("THE_VALUE", VALUE)])).await;
    assert_eq!((out.len(), err.len()), (360_000, 360_000));
}

/// A writer that breaks once it was given something.
struct Broken;

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Gives pieces, waiting before each, and then breaks off or ends.
struct Pieces {
    left: Vec<&'static [u8]>,
    breaks: bool,
    waited: bool,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.waited = !self.waited;
        if self.waited {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.left.pop() {
            Some(piece) => buffer.put_slice(piece),
            None if self.breaks => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            None => {}
        }
        Poll::Ready(Ok(()))
    }
}

/// Each read is given up after its first poll, and taken up again with a buffer of one byte.
async fn read_in_bits(
    breaks: bool,
    wrap: fn(Pieces, Arc<HiddenValues>) -> RedactedRead<Pieces>,
) -> (Vec<u8>, RedactedRead<Pieces>, io::Result<usize>) {
    let left = vec![&b"then exampl"[..], b"ample, ", b"an ex"];
    let values = Arc::new(HiddenValues::new([("NAME", &b"example"[..])]));
    let mut reader = wrap(Pieces { left, breaks, waited: false }, values);
    let mut said = Vec::new();
    loop {
        let mut byte = [0];
        let polled = {
            let mut given_up = std::pin::pin!(reader.read(&mut byte));
            std::future::poll_fn(|context| Poll::Ready(given_up.as_mut().poll(context))).await
        };
        match polled {
            Poll::Ready(Ok(1)) => said.push(byte[0]),
            Poll::Ready(end) => return (said, reader, end),
            Poll::Pending => {}
        }
    }
}

#[tokio::test]
async fn a_read_that_is_given_up_loses_nothing_and_one_that_breaks_shows_no_beginning() {
    let (said, mut reader, end) = read_in_bits(false, RedactedRead::of_whole).await;
    assert_eq!((&said[..], end.unwrap()), (&b"an [hidden NAME], then exampl"[..], 0));
    assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
    let (said, _, end) = read_in_bits(false, RedactedRead::new).await;
    assert_eq!((&said[..], end.unwrap()), (&b"an [hidden NAME], then [hidden NAME]"[..], 0));
    for wrap in [RedactedRead::new, RedactedRead::of_whole] {
        let (said, mut reader, end) = read_in_bits(true, wrap).await;
        assert_eq!(said, b"an [hidden NAME], then [hidden NAME]");
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        // What broke off is not taken for what ended, however often it is read.
        for _ in 0..2 {
            let again = reader.read(&mut [0]).await;
            assert_eq!(again.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        }
    }
}

/// Gone, or waiting to be collected.
#[cfg(target_os = "linux")]
fn is_gone(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.is_empty() || rest.starts_with(" Z"))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_is_killed_with_what_holds_it() {
    let child = shell("echo said; exec sleep 1000").spawn(&SecretVars::new()).unwrap();
    let id = child.id().unwrap();
    let broken = tokio::time::timeout(LIMIT, child.relay(&mut Broken, &mut Vec::new())).await.unwrap();
    assert_eq!(broken.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    let dropped = shell("exec sleep 1000").spawn(&SecretVars::new()).unwrap();
    let ids = [id, dropped.id().unwrap()];
    drop(dropped);
    let gone = async {
        while !ids.iter().all(|id| is_gone(*id)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_value_is_on_a_command_line() {
    let child = shell("exec sleep 1000").spawn(&secrets(&[("THE_VALUE", VALUE)])).unwrap();
    let read = |file: &str| fs::read(format!("/proc/{}/{file}", child.id().unwrap())).unwrap();
    let holds = |bytes: Vec<u8>| bytes.windows(VALUE.len()).any(|window| window == VALUE.as_bytes());
    // The environment shows that there is something to be found.
    assert!(holds(read("environ")) && !holds(read("cmdline")));
    child.kill().await.unwrap();
}
