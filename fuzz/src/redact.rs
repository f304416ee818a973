//! Values are hidden in what passes, however it is cut: at least where a plain search finds them, and nowhere else.

use std::ops::Range;

use tokenkeep_core::{HiddenValues, TextPart, ValueScan};

/// The first byte says how long the two values are (4 to 7 bytes) and the second how the text is cut; then they come, and the
/// rest is the text. True where something was hidden.
///
/// # Panics
/// When a promise is broken.
pub fn redact(bytes: &[u8]) -> bool {
    let [shape, cut, rest @ ..] = bytes else { return false };
    let (first, second) = (4 + usize::from(shape & 3), 4 + usize::from(shape >> 2 & 3));
    let Some((one, rest)) = rest.split_at_checked(first) else { return false };
    let Some((two, text)) = rest.split_at_checked(second) else { return false };
    let values = HiddenValues::new([("A", one), ("B", two)]);
    let whole = places(&values, [text]);
    assert_eq!(places(&values, text.chunks(usize::from(*cut).max(1))), whole, "a text that is cut");

    let hex = |value: &[u8]| value.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes();
    let percent = |value: &[u8]| {
        let byte = |byte: &u8| match byte {
            b'-' | b'.' | b'_' | b'~' => char::from(*byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        value.iter().map(byte).collect::<String>().into_bytes()
    };
    // White space at its ends makes a value no longer.
    for value in [one, two].into_iter().filter(|value| value.trim_ascii().len() >= 4) {
        for form in [value.to_vec(), hex(value), hex(value).to_ascii_uppercase(), percent(value)] {
            for at in (0..text.len()).filter(|at| text[*at..].starts_with(&form)) {
                let is_hidden =
                    |(place, _): &(Range<usize>, _)| place.start <= at && at + form.len() <= place.end;
                assert!(whole.iter().any(is_hidden), "a form that is left");
            }
        }
    }
    // What is hidden is so for what it is, and not for what stands around it.
    for (place, owner) in &whole {
        assert_eq!(places(&values, [&text[place.clone()]]), [(0..place.len(), *owner)]);
    }
    let mut clear = 0;
    for end in whole.iter().map(|(place, _)| place.clone()).chain(std::iter::once(text.len()..text.len())) {
        assert_eq!(places(&values, [&text[clear..end.start]]), []);
        clear = end.end;
    }
    !whole.is_empty()
}

/// Where values stand, and whose.
fn places<'t>(
    values: &HiddenValues,
    pieces: impl IntoIterator<Item = &'t [u8]>,
) -> Vec<(Range<usize>, usize)> {
    let (mut scan, mut at, mut places) = (ValueScan::new(), 0, Vec::<(Range<usize>, usize)>::new());
    let mut tell = |part| match part {
        TextPart::Clear(length) => at += length,
        TextPart::Begins(owner) => places.push((at..at, owner)),
        TextPart::Hidden(length) => {
            at += length;
            places.last_mut().expect("what is hidden has begun").0.end = at;
        }
    };
    for piece in pieces {
        scan.read(values, piece, &mut tell);
    }
    scan.finish(values, &[], tell);
    places
}
