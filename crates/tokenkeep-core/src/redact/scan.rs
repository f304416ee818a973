//! Where values stand in a text that comes piece by piece.

use alloc::collections::VecDeque;

use super::values::HiddenValues;

/// What comes next in a text. Lengths are in bytes, of the text from where the last one ended, and add up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextPart {
    /// So many bytes belong to no value.
    Clear(usize),
    /// Here begins what belongs to the value of this number. It has no length of its own: what belongs to it follows.
    Begins(usize),
    /// So many bytes belong to values.
    Hidden(usize),
}

/// How many bytes of a form are so few that it is looked whether the rest of the text passes it over.
const FEW: usize = 2;

/// A walk through a text, which finds the places at which values stand, in one of their forms.
///
/// Places that overlap are one place. It goes to the value that begins first, of those to the longest form. What is told of a text, taken together, does not
/// depend on how it is cut. It holds no bytes of it: whoever calls keeps those that are not told yet, at most
/// [`HiddenValues::longest`] less one.
///
/// The time is linear in the length of the text, whatever stands in it.
#[derive(Debug, Default)]
pub struct ValueScan {
    /// The length of the text that was read, and of what was told of it.
    read: u64,
    told: u64,
    /// Up to where the last place that was told of goes.
    hidden: u64,
    /// The state of the automaton.
    state: u32,
    /// Places that were found and not told yet, in order, none overlapping.
    places: VecDeque<Place>,
    /// How much work it was.
    pub(super) work: u64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    start: u64,
    end: u64,
    owner: u32,
}

impl ValueScan {
    /// At the beginning of a text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes no memory any more, however long the text.
    pub(super) fn reserve(&mut self, values: &HiddenValues) {
        self.places.reserve(values.longest() / super::forms::SHORTEST + 2);
    }

    /// How many bytes were read that nothing was told of yet: they may be the beginning of a value.
    #[must_use]
    pub fn untold(&self) -> usize {
        (self.read - self.told) as usize
    }

    /// Reads on, and tells what is certain. `values` are the same for a whole text.
    pub fn read(&mut self, values: &HiddenValues, text: &[u8], mut tell: impl FnMut(TextPart)) {
        self.walk(values, text, false, &mut tell);
        let open = values.built().map_or(0, |automaton| automaton.depth(self.state));
        self.tell_until(self.read - open as u64, &mut tell);
    }

    /// The end of the text, with its last bytes: what is only the beginning of a value belongs to none.
    pub fn finish(mut self, values: &HiddenValues, text: &[u8], mut tell: impl FnMut(TextPart)) {
        self.walk(values, text, true, &mut tell);
        self.tell_until(self.read, &mut tell);
    }

    /// The text was cut off behind these bytes: what may be the beginning of a value belongs to it.
    pub fn finish_cut(mut self, values: &HiddenValues, text: &[u8], mut tell: impl FnMut(TextPart)) {
        self.walk(values, text, false, &mut tell);
        if self.state != 0
            && let Some(automaton) = values.built()
            && let Some(form) = automaton.begun(self.state, values.forms())
        {
            let start = self.read - automaton.depth(self.state) as u64;
            let whole = self.places.iter().find(|place| place.start == start);
            self.found(start, self.read, whole.map_or(form.owner, |place| place.owner));
        }
        self.tell_until(self.read, &mut tell);
    }

    /// `last`: no text comes behind this one, and no beginning of a value matters.
    fn walk(&mut self, values: &HiddenValues, text: &[u8], last: bool, tell: &mut impl FnMut(TextPart)) {
        let before = self.read;
        self.read += text.len() as u64;
        if values.forms().all().is_empty() {
            return;
        }
        let (filter, mut known, mut at) = (values.filter(), 0, 0);
        while at < text.len() {
            let depth = values.built().map_or(0, |automaton| automaton.depth(self.state));
            // The beginning of what is not passed over, if it lies in this piece.
            if depth <= FEW && depth <= at {
                let (from, looked) = filter.next(text, at - depth, &mut known);
                self.work += looked;
                if from >= at {
                    self.state = 0;
                    at = from;
                    let rest = &text[at..];
                    let is_short = rest.len() < filter.reach();
                    // Short of a whole form, and built for nothing if it begins none.
                    if is_short && (last || (values.built().is_none() && !values.begin_in(rest))) {
                        return;
                    }
                } else if from > at - depth
                    && let Some(automaton) = values.built()
                {
                    self.state = automaton.shortened(self.state, at - from);
                }
            }
            let Some(&byte) = text.get(at) else { return };
            let automaton = values.automaton();
            self.state = automaton.step(self.state, byte, &mut self.work);
            at += 1;
            if let Some(form) = automaton.found(self.state, values.forms()) {
                let end = before + at as u64;
                self.found(end - values.forms().bytes(*form).len() as u64, end, form.owner);
                self.state = automaton.open(self.state);
                self.tell_until(end - automaton.depth(self.state) as u64, tell);
            }
        }
    }

    /// A form that ends behind all that were found before.
    fn found(&mut self, mut start: u64, end: u64, mut owner: u32) {
        if start < self.hidden {
            // What was found since overlaps it, too.
            self.places.clear();
            self.hidden = end;
            return;
        }
        while let Some(&place) = self.places.back()
            && place.end > start
        {
            self.places.pop_back();
            if place.start < start {
                (start, owner) = (place.start, place.owner);
            }
        }
        self.places.push_back(Place { start, end, owner });
    }

    /// Tells what lies before: nothing that is found later begins there.
    fn tell_until(&mut self, until: u64, tell: &mut impl FnMut(TextPart)) {
        loop {
            let hidden = self.hidden.min(until);
            if self.told < hidden {
                tell(TextPart::Hidden((hidden - self.told) as usize));
                self.told = hidden;
            }
            let place = self.places.front().copied().filter(|place| place.start < until);
            let clear = place.map_or(until, |place| place.start);
            if self.told < clear {
                tell(TextPart::Clear((clear - self.told) as usize));
                self.told = clear;
            }
            let Some(place) = place else { return };
            self.places.pop_front();
            tell(TextPart::Begins(place.owner as usize));
            self.hidden = place.end;
        }
    }
}
