//! Generated inputs, each with the schema that says which of its fields are secret.

use crate::dice::Dice;
use crate::words::{self, Letters};

/// One of five long fields has at least so many bytes, the others a hundredth: the shape is the same.
pub(crate) const HUGE: usize = 1 << 20;

pub(crate) struct Case {
    /// What it is about, and its number.
    pub(crate) name: String,
    /// JSON text.
    pub(crate) schema: String,
    /// JSON text.
    pub(crate) input: String,
}

/// A field's type and editor.
type Editor = (&'static str, &'static str);

const TEXTFIELD: Editor = ("string", "textfield");
const TEXTAREA: Editor = ("string", "textarea");
const HIDDEN_TEXT: Editor = ("string", "hidden");
const JSON_OBJECT: Editor = ("object", "json");
const HIDDEN_OBJECT: Editor = ("object", "hidden");
const JSON_LIST: Editor = ("array", "json");
const HIDDEN_LIST: Editor = ("array", "hidden");

/// What an input is about: its name, the editor of the field that shows it, and that field's value.
type Theme = (&'static str, Editor, fn(&mut Dice) -> String);

pub(crate) const KINDS: usize = 25;
const THEMES: [Theme; KINDS] = [
    ("a textfield", TEXTFIELD, |dice| plain(dice, Letters::Ascii, 40)),
    ("a textarea", TEXTAREA, |dice| plain(dice, Letters::Lines, 60)),
    ("hidden text", HIDDEN_TEXT, |dice| plain(dice, Letters::Ascii, 20)),
    ("Unicode", TEXTFIELD, |dice| plain(dice, Letters::Any, 40)),
    ("Unicode on lines", TEXTAREA, |dice| plain(dice, Letters::Any, 200)),
    ("one character", HIDDEN_TEXT, |dice| plain(dice, Letters::Any, 0)),
    ("a JSON object", JSON_OBJECT, |dice| object(dice, 3)),
    ("a hidden object", HIDDEN_OBJECT, |dice| object(dice, 3)),
    ("a JSON list", JSON_LIST, |dice| words::list(dice, 3)),
    ("a hidden list", HIDDEN_LIST, |dice| words::list(dice, 3)),
    ("an empty object", JSON_OBJECT, |dice| format!("{{{}}}", words::space(dice))),
    ("an empty list", HIDDEN_LIST, |dice| format!("[{}]", words::space(dice))),
    ("a falsy text", TEXTFIELD, falsy),
    ("a falsy object", JSON_OBJECT, falsy),
    ("a falsy list", JSON_LIST, falsy),
    ("text that begins as encrypted", TEXTFIELD, |dice| {
        let text = dice.pick(&[
            "ENCRYPTED_VALUE",
            "ENCRYPTED_VALUE_",
            "ENCRYPTED_JSON",
            "encrypted_value:YQ==:YQ==",
        ]);
        words::quoted(dice, text)
    }),
    ("encrypted text in the depth", JSON_OBJECT, |_| {
        r#"{"ENCRYPTED_VALUE:YQ==:YQ==": ["ENCRYPTED_VALUE:YQ==:YQ==", "ENCRYPTED_JSON:0123456789:YQ==:YQ=="]}"#.into()
    }),
    ("JSON as text", TEXTAREA, |dice| {
        let json = object(dice, 2);
        words::quoted(dice, &json)
    }),
    ("every name", JSON_OBJECT, |dice| {
        let members: Vec<_> =
            words::NAMES.iter().map(|name| ((*name).into(), words::value(dice, 1))).collect();
        words::object(dice, &members)
    }),
    ("halves of surrogate pairs", JSON_LIST, |_| {
        r#"["\ud800", {"\udfff": "\uDC00\uD800", "😀": "\ud83d\ude00"}]"#.into()
    }),
    ("numbers", JSON_LIST, |dice| {
        let numbers: Vec<_> = (0..40).map(|_| words::number(dice)).collect();
        format!("[{}]", numbers.join(","))
    }),
    ("depth", HIDDEN_OBJECT, |dice| {
        let depth = 20 + dice.below(40);
        format!("{}{}{}", r#"{"a":["#.repeat(depth), words::value(dice, 1), "]}".repeat(depth))
    }),
    ("many things in one list", HIDDEN_LIST, |dice| {
        let values: Vec<_> = (0..200).map(|_| words::value(dice, 1)).collect();
        format!("[{}]", values.join(", "))
    }),
    ("long text", TEXTAREA, |dice| {
        let text = words::text(dice, Letters::Any, 300);
        let text = text.repeat(length(dice) / text.len() + 1);
        words::quoted(dice, &text)
    }),
    ("a long list", JSON_LIST, |dice| {
        let value = object(dice, 3);
        format!("[{}]", vec![value.as_str(); length(dice) / value.len() + 1].join(","))
    }),
];

/// The long ones are last, and no other theme's input has them beside its own field.
const SMALL: usize = THEMES.len() - 2;

/// Names of top-level fields. None that npm's package loses: see the named cases.
const FIELDS: [&str; 12] = [
    "token",
    "0",
    "17",
    "4294967295",
    "constructor",
    "Kundin",
    "é",
    "😀",
    "with space",
    "a\"b\\c",
    "\u{2028}",
    "",
];

/// So many inputs, the same ones for the same seed.
pub(crate) fn generate(seed: u64, count: usize) -> Vec<Case> {
    let mut dice = Dice::new(seed);
    (0..count).map(|number| case(&mut dice, number)).collect()
}

fn case(dice: &mut Dice, number: usize) -> Case {
    let theme = &THEMES[number % THEMES.len()];
    let (about, editor, value) = theme;
    let mut names = FIELDS.to_vec();
    let mut fields = vec![("theme", *editor, true, value(dice))];
    for _ in 0..dice.below(5) {
        let name = names.swap_remove(dice.below(names.len()));
        let (_, editor, value) = &THEMES[dice.below(SMALL)];
        let value = value(dice);
        // Whatever stands in a field that is not secret stays as it is.
        if dice.one_in(2) {
            fields.push((name, *editor, true, value));
        } else {
            fields.push((name, *editor, false, words::value(dice, 2)));
        }
    }
    // The theme is not always first.
    let at = dice.below(fields.len());
    fields.swap(0, at);

    let mut properties: Vec<_> = fields
        .iter()
        .map(|(name, editor, secret, _)| ((*name).to_owned(), property(dice, *editor, *secret)))
        .collect();
    // A secret field that the input lacks.
    properties.push(("absent".into(), property(dice, TEXTFIELD, true)));
    let properties = words::object(dice, &properties);
    let schema =
        format!(r#"{{"title":"A fake Actor","type":"object","schemaVersion":1,"properties":{properties}}}"#);
    let members: Vec<_> = fields.into_iter().map(|(name, _, _, value)| (name.to_owned(), value)).collect();
    Case { name: format!("{about}, input {number}"), schema, input: words::object(dice, &members) }
}

fn property(dice: &mut Dice, (kind, editor): Editor, secret: bool) -> String {
    let mut members = vec![
        ("title".to_owned(), plain(dice, Letters::Any, 5)),
        ("type".to_owned(), format!("\"{kind}\"")),
        ("description".to_owned(), plain(dice, Letters::Lines, 5)),
        ("editor".to_owned(), format!("\"{editor}\"")),
    ];
    if secret {
        members.push(("isSecret".into(), "true".into()));
    } else if dice.one_in(2) {
        members.push(("isSecret".into(), "false".into()));
    }
    if dice.one_in(3) {
        members.push(("nullable".into(), "true".into()));
    }
    words::object(dice, &members)
}

fn length(dice: &mut Dice) -> usize {
    if dice.one_in(5) { HUGE } else { HUGE / 100 }
}

/// Text that is never empty, as an empty one is falsy.
fn plain(dice: &mut Dice, letters: Letters, most: usize) -> String {
    let pieces = 1 + dice.below(most + 1);
    let text = words::text(dice, letters, pieces);
    words::quoted(dice, &text)
}

fn object(dice: &mut Dice, depth: usize) -> String {
    let members: Vec<_> =
        words::names(dice).into_iter().map(|name| (name, words::value(dice, depth - 1))).collect();
    words::object(dice, &members)
}

fn falsy(dice: &mut Dice) -> String {
    dice.pick(&["null", "false", "0", "-0", "0.0", "0e5", "\"\""]).into()
}
