//! What ours takes beside npm's package, in alternated rounds on the same inputs under the same key.

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};
use tokenkeep_apify::InputSchema;

use crate::ours::Ours;
use crate::party::Party;
use crate::peer::{Answer, Peer};

/// An odd number has a middle.
const ROUNDS: usize = 9;
const MIB: usize = 1 << 20;

const SCHEMA: &str = r#"{"properties":{
    "token":{"title":"Token","type":"string","editor":"textfield","isSecret":true},
    "login":{"title":"Login","type":"object","editor":"json","isSecret":true},
    "cookies":{"title":"Cookies","type":"array","editor":"json","isSecret":true},
    "start":{"title":"Start","type":"string","editor":"textfield"}}}"#;

/// A name, how many inputs, and one of them.
type Subject = (&'static str, usize, fn(usize) -> String);

const SUBJECTS: [Subject; 3] = [
    ("three small fields", 100, |number| {
        format!(
            r#"{{"token":"a fake secret {number}","login":{{"user":"u{number}","password":"fake"}},"cookies":[{{"name":"c","value":"fake"}}],"start":"https://example.com/{number}"}}"#
        )
    }),
    ("a text of 1 MiB", 4, |number| {
        let line = format!("a line of fake text, number {number}\\n");
        format!(r#"{{"token":"{}"}}"#, line.repeat(MIB / line.len() + 1))
    }),
    ("a list of 1 MiB", 4, |number| {
        let value =
            format!(r#"{{"name":"cookie {number}","value":"fake","secure":true,"expires":1234567890}}"#);
        format!(r#"{{"cookies":[{}]}}"#, vec![value.as_str(); MIB / value.len() + 1].join(","))
    }),
];

/// One line for each subject and way.
pub(crate) fn run(npm: &mut Peer, ours: &mut Ours) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for (name, count, make) in SUBJECTS {
        let inputs: Vec<String> = (0..count).map(make).collect();
        let encrypted = inputs.iter().map(|input| match npm.encrypt(SCHEMA, input)? {
            Answer::Gives(made) => Ok(made),
            Answer::Refuses(kind) => Err(format!("{name}: npm does not encrypt it: {kind}")),
        });
        let encrypted = encrypted.collect::<Result<Vec<_>, String>>()?;
        for (way, inputs) in [("encrypt", &inputs), ("decrypt", &encrypted)] {
            lines.push(one(npm, ours, name, way, inputs)?);
        }
    }
    Ok(lines)
}

fn one(npm: &mut Peer, ours: &Ours, name: &str, way: &str, inputs: &[String]) -> Result<String, String> {
    let schema = InputSchema::parse(SCHEMA).map_err(|error| error.to_string())?;
    let (public, private) = ours.keys()?;
    let our_work = || {
        let begin = Instant::now();
        for input in inputs {
            let done = if way == "encrypt" {
                public.encrypt_input(&schema, black_box(input)).map(|made| drop(black_box(made)))
            } else {
                private.decrypt_input(black_box(input)).map(|plain| drop(black_box(plain)))
            };
            done.map_err(|error| format!("{name}: ours refuses to {way}: {error}"))?;
        }
        Ok::<_, String>(begin.elapsed().as_secs_f64())
    };
    let question = json!({ "ask": "time", "what": way, "schema": SCHEMA, "inputs": inputs, "times": 1 });
    let mut their_work = || {
        let times = npm.must(&question)?;
        let seconds =
            |time: &Value| time.as_f64().map(|nanoseconds| nanoseconds / 1e9).filter(|time| *time > 0.0);
        seconds(&times["whole"]).zip(seconds(&times["inside"])).ok_or_else(|| "npm gave no times".to_owned())
    };

    // Caches fill, and V8 compiles what runs often.
    for _ in 0..3 {
        our_work()?;
        their_work()?;
    }
    let (mut own, mut theirs, mut inside) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        own.push(our_work()?);
        let (whole, part) = their_work()?;
        theirs.push(whole);
        inside.push(part);
    }
    let each = |times: Vec<f64>| median(times) / inputs.len() as f64 * 1e6;
    let (own, theirs, inside) = (each(own), each(theirs), each(inside));
    Ok(format!(
        "{way}  {name:20}  {own:9.0}  {theirs:9.0}  {:6.2}  {inside:9.0}  {:6.2}",
        own / theirs,
        own / inside
    ))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
