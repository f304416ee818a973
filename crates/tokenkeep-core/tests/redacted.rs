//! Redaction takes no memory as a text passes, and leaves nothing of a value behind.
#![cfg(feature = "redact")]

use std::sync::Arc;

use tokenkeep_core::{HiddenValues, Redactor};

#[test]
fn a_text_of_any_length_takes_no_memory() {
    let long = "another example ".repeat(200);
    let values: Vec<(&str, &[u8])> =
        vec![("ONE", b"an+example/value"), ("TWO", long.as_bytes()), ("AS", b"aaaa")];
    let values = Arc::new(HiddenValues::new(values));
    let mut redactor = Redactor::new(values);
    // What is held in the most unlucky case is among it: the long one but for its end, and short ones within it.
    let text =
        [&long.as_bytes()[..3000], b"an+example/value, an+example%2Fvalue aaaaaaaa\n", &[b'x'; 500]].concat();
    let mut out = Vec::with_capacity(2 * text.len());
    for size in [1, 7, 1000, text.len()] {
        let taken = allocation_counter::measure(|| {
            for _ in 0..20 {
                out.clear();
                text.chunks(size).for_each(|piece| redactor.push(piece, &mut out));
            }
        });
        assert_eq!((taken.count_total, taken.bytes_total), (0, 0), "by {size}");
        assert!(out.ends_with(&[b'x'; 400]));
    }
}

#[cfg(target_os = "linux")]
mod wiped {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use super::*;

    /// Whether these bytes stand anywhere in this process's writable memory but on the stack. They are given with each bit turned, so as not to be found
    /// where they are given.
    fn is_in_memory(turned: &[u8], page: &mut [u8]) -> bool {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let memory = File::open("/proc/self/mem").unwrap();
        let mut found = false;
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
            let [mut at, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
            // This thread's stack, on which registers are put away now and then: nothing wipes it, as the crate's page says.
            if (at..end).contains(&((&raw const memory).addr() as u64)) {
                continue;
            }
            while at < end {
                let length = (end - at).min(page.len() as u64) as usize;
                // It lies in this memory, too.
                page.fill(0);
                // What is unmapped meanwhile holds nothing.
                if memory.read_exact_at(&mut page[..length], at).is_ok() {
                    for byte in &mut page[..length] {
                        *byte = !*byte;
                    }
                    found |= page[..length].windows(turned.len()).any(|window| window == turned);
                }
                // Over the borders, too.
                at += (length as u64).saturating_sub(turned.len() as u64).max(1);
                if length <= turned.len() {
                    break;
                }
            }
        }
        page.fill(0);
        found
    }

    fn turned(bytes: &[u8]) -> Vec<u8> {
        bytes.iter().map(|byte| !byte).collect()
    }

    /// Letters that stand nowhere else. Drawn here, so that no constant holds them; in one block, so that no move copies them.
    fn random(length: usize) -> zeroize::Zeroizing<Vec<u8>> {
        let mut bytes = zeroize::Zeroizing::new(vec![0; length]);
        tokenkeep_core::fill_random(&mut bytes).unwrap();
        bytes.iter_mut().for_each(|byte| *byte = b'a' + *byte % 26);
        bytes
    }

    #[test]
    fn forms_and_what_was_held() {
        // Before anything else: what is taken later may lie where something was freed.
        let mut page = vec![0; 1 << 20];
        let secret = random(6000);
        let plain = turned(&secret);
        let hex = |byte: &u8| [byte >> 4, byte & 15].map(|digit| !b"0123456789ABCDEF"[usize::from(digit)]);
        let hex_turned: Vec<u8> = secret.iter().flat_map(hex).collect();
        let values = Arc::new(HiddenValues::new([("NAME", &secret[..])]));
        let mut redactor = Redactor::new(values);
        let mut out = Vec::new();
        redactor.push(b"some text ", &mut out);
        redactor.push(&secret[..5999], &mut out);
        assert_eq!(redactor.held(), 5999);
        drop(secret);
        // What is held, and the forms. Of a long one, far from its start: what is freed is soon written to there.
        assert!(
            is_in_memory(&plain[4000..4040], &mut page) && is_in_memory(&hex_turned[9000..9064], &mut page)
        );
        drop(redactor);
        assert!(!is_in_memory(&plain[4000..4040], &mut page), "the value, or what was held of it");
        assert!(!is_in_memory(&hex_turned[9000..9064], &mut page), "a form");
    }
}
