//! Generated schemas of single fields, for the hash.

use crate::dice::Dice;
use crate::words::{self, Letters};

/// What the hash leaves out, at every level.
const LEFT_OUT: [&str; 8] = [
    "title",
    "description",
    "sectionCaption",
    "sectionDescription",
    "nullable",
    "example",
    "prefill",
    "editor",
];

/// What a schema of a field has besides.
const KEPT: [&str; 14] = [
    "properties",
    "items",
    "enum",
    "enumTitles",
    "default",
    "minLength",
    "maxProperties",
    "pattern",
    "patternKey",
    "required",
    "additionalProperties",
    "resourceType",
    "Title",
    "title ",
];

pub(crate) struct Schema {
    /// What it is about, and its number.
    pub(crate) name: String,
    /// JSON text of one field's schema; the field is secret.
    pub(crate) field: String,
}

/// Schemas that show one thing each.
const NAMED: [(&str, &str); 22] = [
    ("nothing else", ""),
    ("integer-like names", r#","10":1,"9":2,"2":3,"1":4,"01":5,"-1":6,"1.5":7,"b":8,"a":9,"0":10"#),
    (
        "the edge of integers",
        r#","4294967296":1,"4294967295":2,"4294967294":3,"4294967293":4,"9007199254740993":5,"99999999999999999999":6"#,
    ),
    ("an order by UTF-16", r#","\uffff":1,"😀":2,"\ue000":3,"\ud7ff":4,"𐀀":5,"z":6,"Z":7,"é":8"#),
    (
        "halves of surrogate pairs",
        r#","\udfff":"\ud800","\ud800":"\udc00\ud800","\ud83d\ude00":"\uD83D\uDE00""#,
    ),
    (
        "escapes in names",
        r#","\n":1,"\u0000":2,"\u001f":3,"\"":4,"\\":5,"\/":6,"\u007f":7,"\u2028":8,"\u2029":9,"\b\f\r\t":10"#,
    ),
    ("escapes in values", r#","v":"\n\u0000\u001F\"\\\/\u007f\u2028\u2029\b\f\r\t\u00e9\ud83d\ude00""#),
    (
        "whole numbers",
        r#","v":[0,-0,1.0,1e0,10e-1,100,1e2,1e20,1e21,123456789012345680000,1234567890123456800000]"#,
    ),
    (
        "fractions",
        r#","v":[0.1,1.10,0.000001,0.0000001,1e-7,123e-20,0.30000000000000004,4.35,1e23,5e-324,-0.0]"#,
    ),
    (
        "numbers beyond a double",
        r#","v":[12345678901234567890,9007199254740993,1.7976931348623157e308,1e400,-1e400,1e-400]"#,
    ),
    (
        "titles in the depth",
        r#","properties":{"a":{"title":"t","type":"string","items":[{"title":1,"k":{"editor":{},"x":1}}]}}"#,
    ),
    (
        "a property that is named title",
        r#","properties":{"title":{"type":"string"},"editor":{"type":"string"},"kept":{}}"#,
    ),
    (
        "names that almost are left out",
        r#","Title":1,"titles":2,"sectioncaption":3,"example ":4,"isSecret2":5"#,
    ),
    ("left out with an escape", r#","t\u0069tle":"left out","\u0065ditor":1"#),
    ("__proto__ with an object", r#","__proto__":{"a":1},"p":{"__proto__":{"toJSON":1,"x":2},"y":3}"#),
    (
        "__proto__ with something else",
        r#","__proto__":"text","p":{"__proto__":null,"y":3},"l":[{"__proto__":[1]}]"#,
    ),
    (
        "names of JavaScript's objects",
        r#","constructor":1,"toString":2,"hasOwnProperty":3,"toJSON":4,"length":5"#,
    ),
    ("empty things", r#","a":{},"b":[],"c":"","":{"":[{}]},"d":null"#),
    ("lists keep their order", r#","enum":["b","a",3,1,2,null,true,false,["z","y"]],"enumTitles":["B","A"]"#),
    ("an emptied object", r#","properties":{"a":{"title":"only this"}}"#),
    ("white space", " , \"b\"\n:\t[ 1 , 2 ] , \"a\" : { } "),
    ("secret by another word", r#","secret":true,"editor":"hidden","example":{"isSecret":false}"#),
];

/// The named ones, and so many more.
pub(crate) fn generate(seed: u64, count: usize) -> Vec<Schema> {
    let mut dice = Dice::new(seed);
    let named = NAMED.iter().map(|(name, members)| Schema {
        name: (*name).into(),
        field: format!(r#"{{"type":"object","isSecret":true{members}}}"#),
    });
    let deep = [(64, "depth 64"), (10, "depth 10")].map(|(depth, name)| Schema {
        name: name.into(),
        field: format!(
            r#"{{"isSecret":true,"type":"array","p":{}1{}}}"#,
            r#"{"b":[{"title":2,"a":"#.repeat(depth / 2),
            "}]}".repeat(depth / 2)
        ),
    });
    let generated =
        (0..count).map(|number| Schema { name: format!("schema {number}"), field: field(&mut dice) });
    named.chain(deep).chain(generated).collect()
}

fn field(dice: &mut Dice) -> String {
    let mut members = vec![
        ("isSecret".to_owned(), "true".to_owned()),
        ("type".to_owned(), dice.pick(&["\"object\"", "\"array\"", "\"string\""]).into()),
    ];
    for name in words::names(dice).into_iter().filter(|name| name != "isSecret") {
        let value = part(dice, 4);
        members.push((name, value));
    }
    add(dice, &mut members, 4);
    let last = members.len() - 1;
    let at = dice.below(members.len());
    members.swap(at, last);
    words::object(dice, &members)
}

/// Adds members whose names mean something, some of which are left out of the hash.
fn add(dice: &mut Dice, members: &mut Vec<(String, String)>, depth: usize) {
    for list in [&LEFT_OUT[..], &KEPT[..]] {
        for _ in 0..dice.below(3) {
            let name = dice.pick(list);
            if !members.iter().any(|(other, _)| other == name) {
                let value = part(dice, depth - 1);
                members.push((name.into(), value));
            }
        }
    }
}

fn part(dice: &mut Dice, depth: usize) -> String {
    if depth <= 1 || dice.one_in(3) {
        return words::value(dice, 1);
    }
    if dice.one_in(4) {
        let text = words::text(dice, Letters::Any, 6);
        let (text, value) = (words::quoted(dice, &text), part(dice, depth - 1));
        return format!("[{text},{value}]");
    }
    let mut members: Vec<_> =
        words::names(dice).into_iter().map(|name| (name, words::value(dice, 1))).collect();
    add(dice, &mut members, depth);
    words::object(dice, &members)
}
