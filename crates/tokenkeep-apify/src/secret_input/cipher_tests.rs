//! Passwords have no favourite letters, and a value opens under its own alone.

use super::*;

fn password(bytes: [u8; 48]) -> Password {
    Password(Box::new(bytes))
}

/// Made with Node 20.20.2: `createCipheriv("aes-256-gcm", "0123456789abcdef0123456789abcdef", "ABCDEFGHIJKLMNOP")`.
#[test]
fn a_nonce_of_16_bytes_is_taken_as_node_takes_it() {
    let made =
        base16ct::lower::decode_vec("3663f944b316ad4964cbb55ff8ecc600e808ffef577256f0918452a60d").unwrap();
    let bytes = b"0123456789abcdef0123456789abcdefABCDEFGHIJKLMNOP";
    let mut value = Vec::with_capacity(64);
    value.extend_from_slice(b"a fake secret");
    password(*bytes).seal(&mut value);
    assert_eq!(value, made);
    assert!(password(*bytes).open(&mut value));
    assert_eq!(value, b"a fake secret");
}

#[test]
fn a_value_that_was_altered_does_not_open() {
    let bytes: [u8; 48] = std::array::from_fn(|at| at as u8);
    let mut sealed = b"a fake secret".to_vec();
    password(bytes).seal(&mut sealed);
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(!password(bytes).open(&mut altered), "{at}");
    }
    for at in 0..48 {
        let mut other = bytes;
        other[at] ^= 1;
        assert!(!password(other).open(&mut sealed.clone()), "{at}");
    }
    for len in 0..sealed.len() {
        assert!(!password(bytes).open(&mut sealed[..len].to_vec()), "{len}");
    }
}

/// Of all 256 bytes, 248 give each letter four times; the others give none.
#[test]
fn each_letter_comes_as_often_as_the_others() {
    let mut counts = [0; 256];
    for letter in (0..=255).filter_map(Password::letter) {
        counts[usize::from(letter)] += 1;
    }
    for (letter, count) in (0..=255u8).zip(counts) {
        assert_eq!(count, if letter.is_ascii_alphanumeric() { 4 } else { 0 }, "{letter}");
    }
    // A draw takes nothing but that, and as much as it needs.
    let mut fills = 0;
    let drawn = Password::draw_from(|bytes| {
        bytes.fill(255);
        bytes[63] = fills;
        fills += 1;
        Ok(())
    });
    let expected: Vec<u8> = (0..48).filter_map(Password::letter).collect();
    assert_eq!((drawn.unwrap().0.as_slice(), fills), (expected.as_slice(), 48));
}

#[test]
fn no_random_bytes_no_password() {
    assert!(Password::draw_from(|_| Err(RandomUnavailable)).is_err());
    let (one, other) = (Password::draw().unwrap(), Password::draw().unwrap());
    assert!(one.0 != other.0 && one.0.iter().all(u8::is_ascii_alphanumeric));
}
