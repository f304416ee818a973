//! Finds all forms at once, byte by byte: the automaton of Aho and Corasick (1975), laid out so that it can be wiped.

use alloc::vec;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::forms::{Form, Forms};

/// No form.
const NONE: u32 = u32::MAX;

/// A tree of all beginnings of forms, level by level, the children of each beside one another. What its tables say of the forms is wiped
/// with them. State 0 is the empty beginning.
pub(super) struct Automaton {
    /// The last byte of each beginning.
    pub(super) labels: Zeroizing<Vec<u8>>,
    /// Where its children begin; they end where those of the next one begin.
    pub(super) children: Zeroizing<Vec<u32>>,
    /// The longest beginning that is an end of this one.
    pub(super) shorter: Zeroizing<Vec<u32>>,
    /// The longest form that is an end of this one, or is it.
    pub(super) found: Zeroizing<Vec<u32>>,
    pub(super) depths: Zeroizing<Vec<u32>>,
}

impl Automaton {
    pub(super) fn of(forms: &Forms) -> Self {
        let mut sorted: Zeroizing<Vec<u32>> = Zeroizing::new((0..forms.all().len() as u32).collect());
        let form = |number: u32| forms.bytes(forms.all()[number as usize]);
        // By their bytes; what several values have in common is the first one's.
        sorted.sort_unstable_by(|&one, &other| form(one).cmp(form(other)).then(one.cmp(&other)));
        sorted.dedup_by(|later, earlier| form(*later) == form(*earlier));

        let mut states = 1;
        let mut before: &[u8] = &[];
        for &number in sorted.iter() {
            let bytes = form(number);
            states += bytes.len() - bytes.iter().zip(before).take_while(|(one, other)| one == other).count();
            before = bytes;
        }
        let mut tree = Self {
            labels: Zeroizing::new(Vec::with_capacity(states)),
            children: Zeroizing::new(Vec::with_capacity(states + 1)),
            shorter: Zeroizing::new(vec![0; states]),
            found: Zeroizing::new(vec![NONE; states]),
            depths: Zeroizing::new(vec![0; states]),
        };
        // The sorted forms that begin so, for each state: from its number there to the end.
        let mut ranges: Zeroizing<Vec<[u32; 2]>> = Zeroizing::new(Vec::with_capacity(states));
        tree.labels.push(0);
        ranges.push([0, sorted.len() as u32]);
        for state in 0..states {
            tree.children.push(tree.labels.len() as u32);
            let depth = tree.depths[state] as usize;
            let [mut from, to] = ranges[state];
            // The shortest comes first: it is what ends here, if one does.
            if from < to && form(sorted[from as usize]).len() == depth {
                tree.found[state] = sorted[from as usize];
                from += 1;
            } else {
                tree.found[state] = tree.found[tree.shorter[state] as usize];
            }
            while from < to {
                let byte = form(sorted[from as usize])[depth];
                let same = sorted[from as usize..to as usize].partition_point(|&it| form(it)[depth] == byte);
                let child = tree.labels.len();
                tree.labels.push(byte);
                ranges.push([from, from + same as u32]);
                tree.depths[child] = depth as u32 + 1;
                // All of a lesser depth have their children.
                if state > 0 {
                    tree.shorter[child] = tree.step(tree.shorter[state], byte, &mut 0);
                }
                from += same as u32;
            }
        }
        tree.children.push(states as u32);
        tree
    }

    /// The longest beginning at the end of a text, from the one before its last byte. Adds the states that were looked at.
    pub(super) fn step(&self, mut state: u32, byte: u8, looked: &mut u64) -> u32 {
        loop {
            *looked += 1;
            let children = self.children[state as usize]..self.children[state as usize + 1];
            let labels = &self.labels[children.start as usize..children.end as usize];
            let child = match labels {
                [] => None,
                &[only] => (only == byte).then_some(0),
                many => many.binary_search(&byte).ok(),
            };
            match child {
                Some(child) => return children.start + child as u32,
                None if state == 0 => return 0,
                None => state = self.shorter[state as usize],
            }
        }
    }

    /// The longest beginning of at most this length at the end of this one.
    pub(super) fn shortened(&self, mut state: u32, most: usize) -> u32 {
        while self.depth(state) > most {
            state = self.shorter[state as usize];
        }
        state
    }

    /// The longest beginning at the end of this one that may go on: a whole form may not, if no other begins with it.
    pub(super) fn open(&self, mut state: u32) -> u32 {
        while state != 0 && self.children[state as usize] == self.children[state as usize + 1] {
            state = self.shorter[state as usize];
        }
        state
    }

    /// How long the beginning is, in bytes.
    pub(super) fn depth(&self, state: u32) -> usize {
        self.depths[state as usize] as usize
    }

    /// The longest form that ends with this beginning.
    pub(super) fn found<'f>(&self, state: u32, forms: &'f Forms) -> Option<&'f Form> {
        match self.found[state as usize] {
            NONE => None,
            number => forms.all().get(number as usize),
        }
    }

    /// The first form that begins so.
    pub(super) fn begun<'f>(&self, state: u32, forms: &'f Forms) -> Option<&'f Form> {
        forms.all().iter().find(|&&form| {
            let beginning = forms.bytes(form).get(..self.depth(state));
            let follow = |at, &byte| self.step(at, byte, &mut 0);
            beginning.is_some_and(|beginning| beginning.iter().fold(0, follow) == state)
        })
    }
}
