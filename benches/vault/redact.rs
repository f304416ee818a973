//! What it costs to hide values in what passes, beside a plain copy of it.

use std::hint::black_box;
use std::sync::{Arc, Mutex};

use tokenkeep::{HiddenValues, Redactor};

use crate::rounds::{Effort, Turn, Work, compare};

/// Of a log, in bytes.
const LENGTH: usize = 1 << 20;
/// As it is read from a pipe.
const PIECE: usize = 8 * 1024;

pub(crate) async fn measure(effort: Effort) {
    let text: Arc<[u8]> = log();
    for many in [1, 10, 50] {
        let secrets: Vec<(String, String)> =
            (0..many).map(|number| (format!("SECRET_{number}"), secret(number))).collect();
        let values = secrets.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let values = Arc::new(HiddenValues::new(values));
        let copy = Turn::of(Copy { text: text.clone(), out: Mutex::default() });
        let redact = Turn::of(Redact { text: text.clone(), values, out: Mutex::default() });
        compare(&format!("redact {many}"), ["copy", "redact"], 1, effort, &copy, &redact).await;
    }
}

/// Lines of a log, none with a secret.
fn log() -> Arc<[u8]> {
    let line = |number: usize| {
        let id = number.wrapping_mul(2_654_435_761) & 0xffff_ffff;
        format!(
            "2026-01-01T00:{:02}:{:02}.{:03}Z INFO  crawler: request {id:08x} https://example.com/items/{number}?page=3 took {} ms, \
             status 200, {{\"requestsFinished\":{number},\"retries\":0}}\n",
            number / 60 % 60,
            number % 60,
            number % 1000,
            id % 977
        )
    };
    let mut text: Vec<u8> = (0..).flat_map(|number| line(number).into_bytes()).take(LENGTH).collect();
    text.shrink_to_fit();
    text.into()
}

/// Forty letters and digits, as many services give them.
fn secret(number: usize) -> String {
    let mut state = number as u64 + 1;
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(letters[(state >> 33) as usize % letters.len()])
    };
    (0..40).map(next).collect()
}

struct Copy {
    text: Arc<[u8]>,
    out: Mutex<Vec<u8>>,
}

impl Work for Copy {
    async fn once(&self, _: u64) {
        let mut out = self.out.lock().expect("one task");
        out.clear();
        self.text.chunks(PIECE).for_each(|piece| out.extend_from_slice(black_box(piece)));
        black_box(&*out);
    }
}

struct Redact {
    text: Arc<[u8]>,
    values: Arc<HiddenValues>,
    out: Mutex<Vec<u8>>,
}

impl Work for Redact {
    async fn once(&self, _: u64) {
        let mut out = self.out.lock().expect("one task");
        out.clear();
        let mut redactor = Redactor::new(self.values.clone());
        self.text.chunks(PIECE).for_each(|piece| redactor.push(black_box(piece), &mut out));
        redactor.finish(&mut out);
        assert_eq!(out.len(), self.text.len());
    }
}
