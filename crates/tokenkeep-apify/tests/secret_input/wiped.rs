//! What was decrypted, and what was to be encrypted, is nowhere in this process's memory once it was dropped: all of it is read through
//! `/proc/self/mem`, in a process of its own, which needs no `unsafe`.

use std::env;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::process::Command;

use tokenkeep_apify::{InputPrivateKey, InputSchema};
use zeroize::Zeroize;

use crate::made::{MADE, private_key, public_key};

/// Long, and below what the allocator maps and unmaps by itself: what is unmapped could not be found, wiped or not.
const LEN: usize = 20_000;
/// A run of this many bytes is looked for, one in each hundred.
const RUN: usize = 16;
const RUNS: usize = LEN / 100;
/// AES works on a few blocks at a time, and without optimisation leaves the last of them on the stack. A copy of the whole is another matter.
const ON_THE_STACK: usize = 4;
/// What is read at once.
const PAGE: usize = 1 << 16;
/// What is looked for is kept xored, so that it is not found where it is kept.
const MASK: u8 = 0x5a;

/// Bytes that occur nowhere else, and of which there is only a seed. A few stand in JSON with an escape.
fn secret(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed;
    (0..LEN).map(move |at| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if at % 1000 == 999 { b'\n' } else { b'a' + (state >> 33) as u8 % 26 }
    })
}

/// Looks for runs of bytes, in places that are all taken before anything is dropped: what is taken later may come to stand
/// where what is looked for stood.
struct Search {
    runs: Vec<Vec<u8>>,
    /// Whether a run begins with these two bytes.
    begins: Vec<bool>,
    page: Vec<u8>,
    maps: String,
}

impl Search {
    /// For the runs of the secret.
    fn of_secret(seed: u64) -> Self {
        let masked: Vec<u8> = secret(seed).map(|byte| byte ^ MASK).collect();
        Self::new(masked.chunks_exact(100).map(|chunk| chunk[..RUN].to_vec()).collect())
    }

    /// For runs that are xored already.
    fn new(runs: Vec<Vec<u8>>) -> Self {
        let mut begins = vec![false; 1 << 16];
        runs.iter().for_each(|run| begins[begin(run)] = true);
        Self { runs, begins, page: vec![0; PAGE], maps: String::with_capacity(1 << 20) }
    }

    /// How many stand in memory that can be written.
    fn count(&mut self) -> usize {
        let Self { runs, begins, page, maps } = self;
        let len = runs[0].len();
        let memory = File::open("/proc/self/mem").unwrap();
        maps.clear();
        File::open("/proc/self/maps").unwrap().read_to_string(maps).unwrap();
        let own = page.as_ptr().addr() as u64;
        let mut count = 0;
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
            let (start, end) =
                (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
            for at in (start..end).step_by(PAGE + 1 - len) {
                let read = (end - at).min(PAGE as u64) as usize;
                // What is read into is not looked into.
                let is_own = at < own + PAGE as u64 && own < at + read as u64;
                if is_own || read < len || memory.read_exact_at(&mut page[..read], at).is_err() {
                    continue;
                }
                page[..read].iter_mut().for_each(|byte| *byte ^= MASK);
                let windows = page[..read].windows(len);
                count +=
                    windows.filter(|run| begins[begin(run)] && runs.iter().any(|one| one == run)).count();
            }
        }
        page.fill(0);
        count
    }
}

fn begin(run: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([run[0], run[1]]))
}

/// The input as a caller has it, in a block that the caller wipes.
fn input(seed: u64, list: bool) -> Vec<u8> {
    let mut json = Vec::with_capacity(2 * LEN);
    json.extend_from_slice(if list { b"{\"f\":[\"" } else { b"{\"f\":\"" });
    for byte in secret(seed) {
        if byte == b'\n' { json.extend_from_slice(b"\\n") } else { json.push(byte) }
    }
    json.extend_from_slice(if list { b"\"]}" } else { b"\"}" });
    json
}

/// Says to a process that it is one of its own, and what it is to know.
const ALONE: &str = "TOKENKEEP_ALONE";

/// Runs the test of this name in a process of its own: here, other tests are at work. True there.
fn alone(test: &str) -> bool {
    let alone = env::var_os(ALONE).is_some();
    if !alone {
        run_alone(test, "");
    }
    alone
}

fn run_alone(test: &str, told: &str) {
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command.args(["--exact", test, "--nocapture"]).env(ALONE, told).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
}

#[test]
fn what_is_not_wiped_is_found() {
    if !alone("wiped::what_is_not_wiped_is_found") {
        return;
    }
    let mut search = Search::of_secret(1);
    assert_eq!(search.count(), 0);
    let kept: Vec<u8> = secret(1).collect();
    assert_eq!(search.count(), RUNS);
    drop(kept);
    assert!(search.count() > RUNS / 2, "what is dropped and not wiped is found, so the tests below can fail");
}

#[test]
fn nothing_is_left_of_what_was_encrypted_and_decrypted() {
    if !alone("wiped::nothing_is_left_of_what_was_encrypted_and_decrypted") {
        return;
    }
    let schema = InputSchema::parse(r#"{"properties":{"f":{"isSecret":true}}}"#).unwrap();
    let (public, private) = (public_key(), private_key());
    for (seed, list) in [(2, false), (3, true)] {
        let mut search = Search::of_secret(seed);
        let mut gone = |when| {
            let found = search.count();
            assert!(found <= ON_THE_STACK, "{when}: {found} of {RUNS}");
        };
        let mut plain = input(seed, list);
        let encrypted = public.encrypt_input(&schema, &plain).unwrap();
        let field = public.encrypt_field(&schema, "f", &plain[5..plain.len() - 1]).unwrap().unwrap();
        plain.zeroize();
        gone("encrypted");

        let decrypted = private.decrypt_input(&*encrypted).unwrap();
        let text = decrypted.text_of("f");
        assert_eq!(text.is_none(), list);
        drop((decrypted, text));
        gone("decrypted");

        drop(private.decrypt_field("f", &field).unwrap());
        gone("a field");
        // What is refused, too: a text that is no JSON.
        if !list {
            assert!(private.decrypt_field("f", &field.replace("ENCRYPTED_VALUE", "ENCRYPTED_JSON")).is_err());
            gone("refused");
        }
        let held = private.decrypt_field("f", &field).unwrap();
        assert!(search.count() >= RUNS);
        drop(held);
    }
}

/// The private exponent, as the key's text has it and as AWS-LC holds it: little end first.
#[test]
fn nothing_is_left_of_a_private_key() {
    use base64ct::{Base64, Encoding};

    // The other process must not work out by itself what it looks for.
    if env::var_os(ALONE).is_none() {
        let pem = crate::made::pem_of(&MADE.unencrypted_pem.pkcs8);
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = Base64::decode_vec(&base64).unwrap();
        // Behind the public exponent, and the head of four bytes of the private one.
        let place = der.windows(5).position(|bytes| bytes == [2, 3, 1, 0, 1]).unwrap() + 5 + 4;
        let masked: String =
            der[place + 8..place + 40].iter().map(|byte| format!("{:02x}", byte ^ MASK)).collect();
        return run_alone("wiped::nothing_is_left_of_a_private_key", &masked);
    }
    let masked = base16ct::lower::decode_vec(env::var(ALONE).unwrap()).unwrap();
    let reversed = masked.iter().rev().copied().collect();
    let (mut text, mut number) = (Search::new(vec![masked]), Search::new(vec![reversed]));
    let value = MADE.values[1].encrypted.as_str();
    let unencrypted = crate::made::pem_of(&MADE.unencrypted_pem.pkcs8);
    for at in [None, Some(0), Some(6)] {
        let name = at.map_or("unencrypted", |at| &MADE.private_keys[at].name);
        let opened = match at {
            Some(at) => InputPrivateKey::from_base64_pem(&MADE.private_keys[at].base64_pem, &MADE.passphrase),
            None => InputPrivateKey::from_unencrypted_pem(&unencrypted),
        };
        let opened = opened.unwrap();
        assert_eq!(opened.decrypt_field("f", value).unwrap().text(), Some("fake"));
        assert_eq!(text.count(), 0, "{name}");
        assert!(number.count() > 0, "{name}");
        drop(opened);
        assert_eq!((text.count(), number.count()), (0, 0), "{name}");
    }
}
