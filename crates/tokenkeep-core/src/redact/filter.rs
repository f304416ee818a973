//! What most of a text is passed over by.

use alloc::vec;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::forms::Forms;

/// How many bytes are looked at together.
const WINDOW: usize = 3;
/// Of a form, what lies behind so many bytes is not needed to tell it from most texts.
const MOST: usize = 32;
/// In bits. The largest one still lies in a processor's nearest memory.
const LARGEST: usize = 1 << 18;
const SMALLEST: usize = 512;

/// The windows of three bytes that stand in the first bytes of any form, as a set that may take others for them.
pub(super) struct Filter {
    bits: Zeroizing<Vec<u64>>,
    shift: u32,
    /// How many bytes of each form are in it: at least as many as a window has, and no more than the shortest form.
    reach: usize,
}

impl Filter {
    /// Of forms of at least [`SHORTEST`](super::forms::SHORTEST) bytes each.
    pub(super) fn of(forms: &Forms) -> Self {
        let reach = forms.iter().map(<[u8]>::len).min().unwrap_or(MOST).min(MOST);
        // So sparse that one in ten other windows is taken for one of them.
        let bits =
            (forms.all().len() * (reach + 1 - WINDOW) * 10).next_power_of_two().clamp(SMALLEST, LARGEST);
        let mut filter =
            Self { bits: Zeroizing::new(vec![0; bits / 64]), shift: 32 - bits.trailing_zeros(), reach };
        for form in forms.iter() {
            for window in form[..reach].windows(WINDOW) {
                let at = filter.place(window);
                filter.bits[at / 64] |= 1 << (at % 64);
            }
        }
        filter
    }

    #[cfg(test)]
    pub(super) fn bits(&self) -> &Zeroizing<Vec<u64>> {
        &self.bits
    }

    /// In how many bytes it can tell.
    pub(super) fn reach(&self) -> usize {
        self.reach
    }

    fn place(&self, window: &[u8]) -> usize {
        let number = u32::from_le_bytes([window[0], window[1], window[2], 0]);
        (number.wrapping_mul(0x9E37_79B1) >> self.shift) as usize
    }

    fn may_hold(&self, window: &[u8]) -> bool {
        let at = self.place(window);
        self.bits[at / 64] >> (at % 64) & 1 == 1
    }

    /// The first place from `from` on at which a form may begin, as far as can be told: the last bytes are too few for that.
    ///
    /// `known` is kept between calls on one text: the windows from `from` to there were looked at. So none is looked at twice, whatever
    /// the text. It is told how many were.
    pub(super) fn next(&self, text: &[u8], from: usize, known: &mut usize) -> (usize, u64) {
        let windows = self.reach + 1 - WINDOW;
        let (mut at, mut looked) = (from, 0);
        while at + self.reach <= text.len() {
            let first = at.max(*known);
            let unknown = at + windows;
            let passes = |start: &usize| self.may_hold(&text[*start..*start + WINDOW]);
            // From the last one on: the further behind one fails, the more is passed over.
            match (first..unknown).rev().find(|start| !passes(start)) {
                Some(failed) => {
                    looked += (unknown - failed) as u64;
                    *known = unknown;
                    at = failed + 1;
                }
                None => {
                    looked += (unknown - first.min(unknown)) as u64;
                    *known = unknown.max(*known);
                    return (at, looked);
                }
            }
        }
        (at, looked)
    }
}
