//! What the corpora of secret input's targets are begun with.

use crate::secret_made::fake;

/// Target, name, whether it is reached, and the bytes.
pub(crate) fn seeds() -> Vec<(&'static str, &'static str, bool, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, reaches, field) in [
        ("empty", true, "{}"),
        ("dropped", true, r#"{"title":"a","x":{"description":1,"y":[{"editor":1,"z":2}]}}"#),
        ("indices", true, r#"{"10":1,"9":2,"01":3,"-1":4,"4294967294":5,"4294967295":6}"#),
        ("utf-16", true, "{\"\u{ff5e}\":1,\"\u{1f511}\":2,\"é\":\"\\u0000\\u007f\\/\"}"),
        ("numbers", true, r#"{"default":[1.0,1e21,-0,1e-7,123456789012345678901234567890,5e-324,4.35]}"#),
        (
            "ties",
            true,
            r#"{"default":[1475792615837.4062,2250208055776626.25,144649165847494.125,2089814273046648.25]}"#,
        ),
        ("secret", true, r#"{"isSecret":"false","nullable":true}"#),
        ("proto", true, r#"{"__proto__":{"a":1},"b":{}}"#),
        ("half", false, r#"{"\ud800":"\udc00x"}"#),
        ("infinite", false, r#"{"a":1e999}"#),
        ("twice", false, r#"{"a":{"b":1,"b":2}}"#),
        ("more", false, r#"{},"g":{}"#),
    ] {
        seeds.push(("input_schema", name, reaches, field.as_bytes().to_vec()));
    }
    for (name, reaches, text) in [
        ("as-made", true, fake()),
        ("shortest", true, "ENCRYPTED_VALUE::"),
        ("four", true, "ENCRYPTED_JSON:0123456789:AAAA:BBBB"),
        ("nearly", false, "ENCRYPTED_VALUE:a b:c"),
        ("empty", false, ""),
        ("text", false, "a text"),
    ] {
        seeds.push(("secret_value", name, reaches, [b"\0", text.as_bytes()].concat()));
    }
    seeds.push(("secret_value", "unedited", true, vec![1]));
    seeds.push(("secret_value", "edited", true, vec![1, 0, 40, b'A']));
    seeds.push(("secret_value", "tag", true, vec![1, 1, 0x6c, b'A']));
    for (name, reaches, input) in [
        ("empty", true, "{}"),
        ("text", true, "{ \"a\" : \"x\\ny\" , \"b\":1.50}"),
        ("nested", true, "{\"é\":{\"a\":[1, {}]},\"\u{1f511}\":[],\"b\":[{\"a\":null}]}"),
        ("falsy", true, r#"{"a":0.0,"é":null,"b":false}"#),
        ("number", false, r#"{"a":1}"#),
        ("twice", false, r#"{"b":1,"b":2}"#),
        ("escaped-name", true, r#"{"\u0061":"x"}"#),
        ("no-object", false, "[{}]"),
        ("encrypted", false, r#"{"a":"ENCRYPTED_VALUE::"}"#),
    ] {
        seeds.push(("secret_input", name, reaches, input.as_bytes().to_vec()));
    }
    let made = format!(r#"{{"a":"{}","b":"{0}"}}"#, fake());
    seeds.push(("secret_input", "as-made", true, made.clone().into_bytes()));
    seeds.push(("secret_input", "as-json", true, made.replace("_VALUE", "_JSON").into_bytes()));
    for (name, key) in [("legacy", 0), ("pkcs8", 6), ("sha-512", 11)] {
        seeds.push(("input_key", name, true, vec![3 * key + 1]));
    }
    seeds.push(("input_key", "content", true, vec![2]));
    seeds.push(("input_key", "content-edited", false, vec![3 * 6 + 2, 1, 0, 7]));
    seeds.push(("input_key", "empty", false, vec![0]));
    seeds
}
