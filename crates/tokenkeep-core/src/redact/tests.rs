//! What is found is what a plain search finds, however the text is cut and whatever stands in it.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{HiddenValues, Redactor, TextPart, ValueScan};

/// The plain way: each form at each place; what overlaps is one place, and the one that begins first names it.
fn plainly(values: &HiddenValues, text: &[u8], cut: bool) -> Vec<u8> {
    let forms: Vec<(&[u8], u32)> =
        values.forms().all().iter().map(|&form| (values.forms().bytes(form), form.owner)).collect();
    let mut places: Vec<(usize, usize, u32)> = Vec::new();
    for at in 0..text.len() {
        let whole =
            forms.iter().filter(|(form, _)| text[at..].starts_with(form)).map(|it| (it.0.len(), it.1));
        // The longest; of those, the first.
        let Some((length, owner)) = whole.reduce(|one, next| if next.0 > one.0 { next } else { one }) else {
            continue;
        };
        join(&mut places, (at, at + length, owner));
    }
    if cut {
        let begins = |at: &usize| forms.iter().find(|(form, _)| form.starts_with(&text[*at..]));
        if let Some((at, form)) = (0..text.len()).find_map(|at| Some((at, begins(&at)?))) {
            places.push((at, text.len(), form.1));
            places.sort_by_key(|place| place.0);
            for place in core::mem::take(&mut places) {
                join(&mut places, place);
            }
        }
    }
    let (mut out, mut from) = (Vec::new(), 0);
    for (start, end, owner) in places {
        out.extend_from_slice(&text[from..start]);
        out.extend_from_slice(b"[hidden ");
        out.extend_from_slice(values.name(owner as usize).unwrap().as_bytes());
        out.push(b']');
        from = end;
    }
    out.extend_from_slice(&text[from..]);
    out
}

fn join(places: &mut Vec<(usize, usize, u32)>, (start, end, owner): (usize, usize, u32)) {
    match places.last_mut() {
        Some(last) if last.1 > start => last.1 = last.1.max(end),
        _ => places.push((start, end, owner)),
    }
}

fn redacted<'t>(
    values: &Arc<HiddenValues>,
    pieces: impl IntoIterator<Item = &'t [u8]>,
    cut: bool,
) -> Vec<u8> {
    let mut redactor = Redactor::new(values.clone());
    let mut out = Vec::new();
    for piece in pieces {
        redactor.push(piece, &mut out);
        assert!(redactor.held() < values.longest().max(1));
    }
    if cut {
        redactor.finish_cut(&mut out);
    } else {
        redactor.finish(&mut out);
    }
    out
}

fn values(values: &[&[u8]]) -> Arc<HiddenValues> {
    let names = ["A", "B", "C", "D", "E", "F"];
    Arc::new(HiddenValues::new(names.into_iter().zip(values.iter().copied())))
}

/// Texts of few letters, in which values begin within each other, and values themselves.
fn cases() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<u8>)> {
    let letters = || prop::sample::select(&b"abA\"/%"[..]);
    let value = prop::collection::vec(letters(), 4..12);
    prop::collection::vec(value, 1..5).prop_flat_map(move |values| {
        let inside = prop::sample::select(values.clone());
        let piece = prop_oneof![prop::collection::vec(letters(), 0..8), inside];
        let text = prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat());
        (Just(values), text)
    })
}

proptest! {
    #[test]
    fn every_cut_gives_what_a_plain_search_gives((them, text) in cases(), more in any::<prop::sample::Index>()) {
        let values = values(&them.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for cut_off in [false, true] {
            let plain = plainly(&values, &text, cut_off);
            prop_assert_eq!(&redacted(&values, [&text[..]], cut_off), &plain);
            prop_assert_eq!(&redacted(&values, text.chunks(1), cut_off), &plain);
            for cut in 0..=text.len() {
                let (one, two) = text.split_at(cut);
                let (two, three) = two.split_at(more.index(two.len() + 1));
                prop_assert_eq!(&redacted(&values, [one, two, three], cut_off), &plain);
            }
        }
    }

    /// Nothing that was given before the end is of a value that ends later.
    #[test]
    fn what_is_given_at_a_cut_is_the_beginning_of_what_is_given_at_the_end((them, text) in cases()) {
        let values = values(&them.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let whole = plainly(&values, &text, true);
        for cut in 0..=text.len() {
            let (mut redactor, mut out) = (Redactor::new(values.clone()), Vec::new());
            redactor.push(&text[..cut], &mut out);
            prop_assert!(whole.starts_with(&out));
        }
    }

    /// Long ones, which the filter passes over, with values in between.
    #[test]
    fn a_long_text_gives_what_a_plain_search_gives(
        words in prop::collection::vec(prop_oneof!["[a-z ]{0,60}", Just("an-example/value+1".into()), Just("other=example".into())], 0..12),
        size in 1_usize..90,
    ) {
        let text = words.concat().into_bytes();
        let values = values(&[b"an-example/value+1", b"other=example"]);
        prop_assert_eq!(redacted(&values, text.chunks(size), false), plainly(&values, &text, false));
    }
}

/// Every text of two letters up to that length.
#[test]
fn what_is_found_in_every_short_text_is_what_a_plain_search_finds() {
    for them in
        [&[&b"aabaabaab"[..], b"abaab"][..], &[b"aaaa", b"abbb"], &[b"abbbbbbbb"], &[b"abab", b"ababababa"]]
    {
        let values = values(them);
        for bits in 0..1_u32 << 13 {
            let text: Vec<u8> = (0..13).map(|at| if bits >> at & 1 == 0 { b'a' } else { b'b' }).collect();
            for cut in [false, true] {
                assert_eq!(redacted(&values, [&text[..]], cut), plainly(&values, &text, cut));
            }
        }
    }
}

/// By counts, and not by a time: one look for each byte and each window, and as many again for what turns out to be none.
#[test]
fn no_text_takes_more_than_a_few_looks_a_byte() {
    let many: Vec<Vec<u8>> =
        (0..60_u8).map(|number| [&b"aaaaaaaaa"[..], &[b'0' + number; 40]].concat()).collect();
    let sets = [
        vec![b"a".repeat(300)],
        vec![[b"a".repeat(300), b"b".to_vec()].concat()],
        vec![[b"b".to_vec(), b"a".repeat(300)].concat()],
        vec![b"ab".repeat(100), b"aab".repeat(100), b"abaabab".repeat(50)],
        many,
    ];
    for set in sets {
        let values = HiddenValues::new(set.iter().map(|value| ("NAME", value.as_slice())));
        for unit in ["a", "ab", "aab", "abaabab", "aaaaaaaaa0", "baaaaaaaaa", "x", "b"] {
            let text = unit.repeat(60_000 / unit.len()).into_bytes();
            for size in [1, 7, 4096, text.len()] {
                let mut scan = ValueScan::new();
                let mut parts = 0;
                for piece in text.chunks(size) {
                    scan.read(&values, piece, |_| parts += 1);
                }
                assert!(scan.work <= 3 * text.len() as u64 + 1000, "{unit} by {size}: {}", scan.work);
                assert!(parts <= 2 * text.len());
            }
        }
    }
}

/// By counts: as many for each line of a value, however many lines there are.
#[test]
fn the_forms_of_many_lines_take_linear_time() {
    let compared = |lines: u32| {
        let value: Vec<u8> =
            (0..lines).flat_map(|line| std::format!("{line:08x}/+ <line>\n").into_bytes()).collect();
        let values = HiddenValues::new([("NAME", &value[..])]);
        values.forms().compared
    };
    let (few, many) = (compared(100), compared(1000));
    assert!(0 < few && many < 11 * few, "{few} {many}");
}

#[test]
fn most_of_a_text_is_not_looked_at() {
    let values = HiddenValues::new([("NAME", &b"a-secret-of-some-length-0123456789"[..])]);
    let text = b"2026-01-01T00:00:00Z INFO nothing of interest happened here, as ever\n".repeat(1000);
    let mut scan = ValueScan::new();
    let mut all = Vec::new();
    scan.read(&values, &text, |part| all.push(part));
    assert_eq!(all, [TextPart::Clear(text.len())]);
    assert!(scan.work < text.len() as u64 / 10, "{}", scan.work);
    assert!(values.built().is_none(), "nothing is built for what is not there");
}

#[test]
fn what_is_not_looked_for_is_told_by_name() {
    let long = vec![b'x'; 1024 * 1024];
    let values = Arc::new(HiddenValues::new([
        ("PORT", &b"808"[..]),
        ("EMPTY", b""),
        ("PIN", b"8080"),
        ("BLOB", &long),
    ]));
    assert_eq!(values.unredacted().collect::<Vec<_>>(), ["PORT", "BLOB"]);
    assert_eq!(redacted(&values, [&b"808 8080"[..]], false), b"808 [hidden PIN]");
    let none = Arc::new(HiddenValues::new([]));
    assert_eq!(redacted(&none, [&b"any"[..], b"thing"], true), b"anything");
}

#[test]
fn the_first_of_those_that_overlap_is_named() {
    let values = values(&[b"cdefgh", b"abcdef", b"abcdef", b"abcdefg"]);
    assert_eq!(redacted(&values, [&b"-abcdefgh-"[..]], false), b"-[hidden D]-");
    assert_eq!(redacted(&values, [&b"-abcdef-cdefgh"[..]], false), b"-[hidden B]-[hidden A]");
    assert_eq!(redacted(&values, [&b"cdefghabcdef"[..]], false), b"[hidden A][hidden B]");
}

#[test]
fn lines_are_looked_for_by_themselves() {
    let values = values(&[b"\n  first line\r\nshort\nthe second\n", b"word\n"]);
    let text = b"first line|short|the second|word\n|word";
    assert_eq!(redacted(&values, [&text[..]], false), b"[hidden A]|short|[hidden A]|[hidden B]|[hidden B]");
}

/// Each as Node 20 gave it, but for `^` in a path, which versions treat as either, and those that name another maker.
#[test]
fn parts_of_urls_are_found() {
    let value = "p|a^s!s&w;o:r=d,x@y<z>'$%{`}[1] (2)*+~";
    let values = values(&[value.as_bytes()]);
    for form in [
        // new URL("postgres://h/db"), u.password = value
        "p%7Ca%5Es!s&w%3Bo%3Ar%3Dd,x%40y%3Cz%3E'$%%7B%60%7D%5B1%5D%20(2)*+~",
        // new URL("https://x/?q=" + value)
        "p|a^s!s&w;o:r=d,x@y%3Cz%3E%27$%{`}[1]%20(2)*+~",
        // new URL("postgres://x/?q=" + value)
        "p|a^s!s&w;o:r=d,x@y%3Cz%3E'$%{`}[1]%20(2)*+~",
        // new URL("https://x/" + value)
        "p|a^s!s&w;o:r=d,x@y%3Cz%3E'$%%7B%60%7D[1]%20(2)*+~",
        "p|a%5Es!s&w;o:r=d,x@y%3Cz%3E'$%%7B%60%7D[1]%20(2)*+~",
        // Go: url.PathEscape, URL.Path, url.UserPassword
        "p%7Ca%5Es%21s&w%3Bo:r=d%2Cx@y%3Cz%3E%27$%25%7B%60%7D%5B1%5D%20%282%29%2A+~",
        "p%7Ca%5Es%21s&w;o:r=d,x@y%3Cz%3E%27$%25%7B%60%7D%5B1%5D%20%282%29%2A+~",
        "p%7Ca%5Es%21s&w;o%3Ar=d,x%40y%3Cz%3E%27$%25%7B%60%7D%5B1%5D%20%282%29%2A+~",
    ] {
        let text = std::format!("<{form}>{form}");
        let shown = redacted(&values, text.as_bytes().chunks(5), false);
        assert_eq!(shown, b"<[hidden A]>[hidden A]", "{form}");
    }
}

/// As a variable holds it, and as what was made of it is printed.
#[test]
fn a_value_with_its_line_breaks_escaped_is_found_with_them_and_by_lines() {
    let pem = "-----BEGIN EXAMPLE-----\\nbm90IGEga2V5\\r\\nYXQgYWxsLg==\\n-----END EXAMPLE-----\\n";
    let hidden = values(&[pem.as_bytes()]);
    let lines = pem.replace("\\r\\n", "\n").replace("\\n", "\n");
    assert_eq!(redacted(&hidden, [pem.as_bytes()], false), b"[hidden A]");
    assert_eq!(redacted(&hidden, [lines.as_bytes()], false), b"[hidden A]");
    assert_eq!(redacted(&hidden, [&b"key: YXQgYWxsLg==!"[..]], false), b"key: [hidden A]!");
}

#[test]
fn a_value_that_is_shown_where_it_is_trimmed_or_printed_by_lines_is_named() {
    let them = [&b"123\n"[..], b" \n \n  ", b"abc12\ndef34\nghi56", b"abc12\\ndef34", b"short\nlong enough"];
    let values = values(&them);
    assert_eq!(values.unredacted().collect::<Vec<_>>(), ["A", "B", "C", "D"]);
    let text = b"123\n|  \n \n  |abc12\ndef34\nghi56|abc12\\ndef34";
    assert_eq!(redacted(&values, [&text[..]], false), b"123\n|  \n \n  |[hidden C]|[hidden D]");
}

/// As other programs write it: each line was made by the one that it names.
#[test]
fn every_form_is_found() {
    let value = "aß/\"x\\y\u{1f}\n<&'+~ 😀\u{7f}zz";
    let values = values(&[value.as_bytes()]);
    let percent = "a%C3%9F%2F%22x%5Cy%1F%0A%3C%26%27%2B~%20%F0%9F%98%80%7Fzz";
    let found = [
        value.into(),
        serde_json::to_string(value).unwrap().trim_matches('"').into(),
        // Python: json.dumps
        r#"a\u00df/\"x\\y\u001f\n<&'+~ \ud83d\ude00\u007fzz"#.into(),
        // The same by whoever writes upper-case digits.
        r#"a\u00DF/\"x\\y\u001F\n<&'+~ \uD83D\uDE00\u007Fzz"#.into(),
        // JavaScript: JSON.stringify(value).replaceAll("/", "\\/")
        "aß\\/\\\"x\\\\y\\u001f\\n<&'+~ 😀\u{7f}zz".into(),
        // Go: json.Marshal
        "aß/\\\"x\\\\y\\u001f\\n\\u003c\\u0026'+~ 😀\u{7f}zz".into(),
        // .NET: JsonSerializer.Serialize
        r"a\u00DF/\u0022x\\y\u001F\n\u003C\u0026\u0027\u002B~ \uD83D\uDE00\u007Fzz".into(),
        percent.into(),
        // Python: urllib.parse.quote, and quote_plus
        percent.replace("%2F", "/"),
        percent.replace("%20", "+"),
        // JavaScript: encodeURIComponent, encodeURI and URLSearchParams
        percent.replace("%27", "'"),
        percent.replace("%2F", "/").replace("%26", "&").replace("%27", "'").replace("%2B", "+"),
        percent.replace("%20", "+").replace('~', "%7E"),
        percent.to_lowercase(),
        // PHP: urlencode
        percent.replace("%20", "+").replace('~', "%7E"),
        // Gson: toJson
        "aß/\\\"x\\\\y\\u001f\\n\\u003c\\u0026\\u0027+~ 😀\u{7f}zz".into(),
        // JavaScript: escape
        "a%DF/%22x%5Cy%1F%0A%3C%26%27+%7E%20%uD83D%uDE00%7Fzz".into(),
        // Go: url.PathEscape
        percent.replace("%26", "&").replace("%2B", "+"),
        hex(value, false),
        hex(value, true),
    ];
    for form in found {
        let text = std::format!("<{form}>{form}");
        let shown = redacted(&values, text.as_bytes().chunks(5), false);
        assert_eq!(shown, b"<[hidden A]>[hidden A]", "{form}");
    }
}

fn hex(value: &str, upper: bool) -> std::string::String {
    let digits = |byte| if upper { std::format!("{byte:02X}") } else { std::format!("{byte:02x}") };
    value.bytes().map(digits).collect()
}

#[test]
fn base64_is_found_at_each_alignment() {
    use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
    let value = "~~~~secret???>>>";
    let values = values(&[value.as_bytes()]);
    for before in ["", "a", "ab", "user:"] {
        for after in ["", "z", "zz", "\n"] {
            let text = [before, value, after].concat();
            for encode in [Base64Unpadded::encode_string, Base64UrlUnpadded::encode_string] {
                let encoded = encode(text.as_bytes());
                let shown = redacted(&values, [encoded.as_bytes()], false);
                let left = shown.len() - b"[hidden A]".len();
                assert!(shown.windows(10).any(|at| at == b"[hidden A]"), "{text}");
                // What stands beside it, and a character at each end that is shared with that.
                assert!(
                    left <= (before.len() * 8).div_ceil(6) + (after.len() * 8).div_ceil(6) + 1,
                    "{left} {text}"
                );
            }
        }
    }
}

/// Of styles that write a text alike one is left out: it must be one that does.
#[test]
fn no_style_is_left_out_that_makes_something_else_of_it() {
    for text in [
        "plain",
        "~~~~",
        "a b c",
        "a/b/",
        "\u{1}\u{1f}xy",
        "éé",
        "\u{2028}--",
        "<<<<",
        "a'b'",
        "\u{7f}\u{7f}ab",
        "+\"+\"",
    ] {
        let all = super::written::every_way();
        let written = |way: &super::written::Way| {
            let mut form = Vec::new();
            way.write(text.as_bytes(), &mut |byte| form.push(byte));
            form
        };
        let made: Vec<Vec<u8>> = super::written::ways(text.as_bytes()).map(|way| written(&way)).collect();
        for way in all {
            assert!(made.contains(&written(&way)), "{text:?}: {:?}", written(&way).escape_ascii());
        }
    }
}

/// A new table that does not wipe itself does not compile here.
#[test]
fn the_tables_wipe_themselves() {
    fn wiped_when_dropped(_: &impl zeroize::ZeroizeOnDrop) {}
    let values = values(&[b"example"]);
    let super::automaton::Automaton { labels, children, shorter, found, depths } = values.automaton();
    wiped_when_dropped(labels);
    for table in [children, shorter, found, depths] {
        wiped_when_dropped(table);
    }
    wiped_when_dropped(values.filter().bits());
}
