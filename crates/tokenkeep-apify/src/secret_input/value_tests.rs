//! What is taken for encrypted, and what of it is well formed.

use super::*;

fn written(form: Form, hash: Option<&str>, password: &[u8], value: &[u8]) -> String {
    let mut out = Vec::new();
    push(&mut out, form, hash, password, value);
    assert_eq!(out.len(), len(form, hash, password.len(), value.len()));
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_written_is_read() {
    for form in [Form::Text, Form::Json] {
        for hash in [None, Some("0123456789")] {
            for more in 0..4 {
                let (password, value) = (vec![7; 256], vec![9; TAG + more]);
                let text = written(form, hash, &password, &value);
                let parts = Parts::of(&text).unwrap();
                assert_eq!((parts.form, parts.hash), (form, hash));
                let decoded = parts.decode(256).unwrap();
                assert!(decoded.form == form && decoded.password == password && *decoded.value == value);
            }
        }
    }
}

#[test]
fn another_spelling_is_refused() {
    let good = written(Form::Json, Some("0123456789"), &[0xfb; 256], &[0xff; TAG]);
    let well_formed = |text: &str| Parts::of(text).is_some_and(|parts| parts.decode(256).is_some());
    assert!(well_formed(&good));
    assert!(good.ends_with("w=="), "the last letter has bits to spare");
    for (from, to) in [
        ("0123456789", "0123456789a"),
        ("0123456789", "012345678"),
        ("0123456789", "012345678G"),
        ("0123456789", "ABCDEF0123"),
        (":0123456789", ":"),
        ("0123456789", ""),
        ("w==", "x=="),
        ("w==", "w"),
        ("w==", "w="),
        ("w==", "w==="),
        ("+", "-"),
        ("+/v7+/v7", ""),
    ] {
        let changed = good.replacen(from, to, 1);
        assert!(changed != good && !well_formed(&changed), "{from} to {to}");
    }
    for (password, value) in [(255, TAG), (257, TAG), (0, TAG), (256, TAG - 1), (256, 0)] {
        assert!(!well_formed(&written(Form::Text, None, &vec![1; password], &vec![1; value])));
    }
}

/// The expression of the SDKs, on texts that are near to it.
#[test]
fn what_looks_encrypted_is_what_their_expression_matches() {
    for text in ["ENCRYPTED_VALUE::", "ENCRYPTED_JSON:::", "ENCRYPTED_VALUE:a:b:c", "ENCRYPTED_VALUE:-+/=:=="]
    {
        assert!(Parts::of(text).is_some(), "{text}");
    }
    for text in [
        "",
        ":",
        "ENCRYPTED_VALUE",
        "ENCRYPTED_VALUE:",
        "ENCRYPTED_VALUE:a",
        "ENCRYPTED_VALUE:a:b:c:d",
        "ENCRYPTED_TEXT:a:b",
        "ENCRYPTED_VALUE:a_:b",
        "ENCRYPTED_VALUE:a:b====",
        "ENCRYPTED_VALUE:a=a:b",
        "ENCRYPTED_VALUE:a:b\n",
        " ENCRYPTED_VALUE:a:b",
        "Encrypted_value:a:b",
        "ENCRYPTED_VALUE:a:é",
        "ENCRYPTED_JSON:a b:c:d",
    ] {
        assert!(Parts::of(text).is_none(), "{text}");
    }
}
