//! Any input comes back as it was, and only what the schema calls secret was encrypted.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tokenkeep_apify::InputSchema;

use crate::made::{private_key, public_key};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(".{0,5}", inner, 0..5)
                .prop_map(|map| Value::from(Map::from_iter(map))),
        ]
    })
}

fn can_be_secret(value: &Value) -> bool {
    !matches!(value, Value::Bool(true)) && value.as_f64().is_none_or(|number| number == 0.0)
}

fn is_falsy(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false)) || value.as_f64() == Some(0.0) || value == ""
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_input_comes_back_as_it_was(fields in prop::collection::btree_map(".{0,8}", (any_json(), any::<bool>()), 0..6)) {
        let secret = |value: &Value, chosen: bool| chosen && can_be_secret(value);
        let properties: Map<_, _> = fields
            .iter()
            .map(|(name, (value, chosen))| (name.clone(), json!({ "isSecret": secret(value, *chosen) })))
            .collect();
        let schema = InputSchema::parse(json!({ "properties": properties }).to_string()).unwrap();
        let input: Map<_, _> = fields.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect();
        let text = serde_json::to_string(&input).unwrap();
        let encrypted = public_key().encrypt_input(&schema, &text).unwrap();
        prop_assert_eq!(encrypted.len(), encrypted.capacity());
        let between: Map<String, Value> = serde_json::from_slice(&encrypted).unwrap();
        for (name, (value, chosen)) in &fields {
            let is_encrypted = secret(value, *chosen) && !is_falsy(value);
            prop_assert_eq!(between[name] != *value, is_encrypted, "{}", name);
        }
        // Encrypted twice is encrypted once.
        prop_assert_eq!(&public_key().encrypt_input(&schema, &*encrypted).unwrap(), &encrypted);
        let plain = private_key().decrypt_input_checked(&schema, &*encrypted).unwrap();
        prop_assert_eq!(plain.as_json(), text.as_bytes());
        for (name, value) in &input {
            let (json, text) = (serde_json::to_string(value).unwrap(), plain.text_of(name));
            prop_assert_eq!(plain.field(name), Some(json.as_str()));
            prop_assert_eq!(text.as_ref().map(|text| text.as_str()), value.as_str());
        }
    }
}
