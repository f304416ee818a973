//! A key that is enabled between the refusal of a call and the look at why.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokenkeep_core::{ErrorKind, Origin};
use tokenkeep_keys::DestroyableKeys;
use tokenkeep_keys_openbao::OpenBaoKeys;
use tokenkeep_testkit::JsonStandIn;

use crate::support::{Place, Sample, fails, token};

/// The real server, but that it refuses the first call to decrypt, as it does for a version that is disabled; and how many came.
async fn refusing_once(place: &Place) -> (JsonStandIn, Arc<AtomicUsize>) {
    let (server, decrypts) = (place.server, Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&decrypts);
    let stand_in = JsonStandIn::start(move |request| {
        let path = request.target.strip_prefix("/v1/").unwrap();
        let first = path.contains("/decrypt/") && counted.fetch_add(1, Ordering::SeqCst) == 0;
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let refused = || {
            let items = body["batch_input"].as_array().map_or(1, Vec::len);
            let each =
                json!({ "error": "ciphertext or signature version is disallowed by policy (too old)" });
            (400, json!({ "data": { "batch_results": vec![each; items] } }).to_string())
        };
        let answer = match request.method.as_str() {
            _ if first => return refused(),
            "GET" => server.read(path),
            _ => server.write(path, &body),
        };
        // Of the calls that are made here, only those to decrypt are refused, all of whose items are.
        answer.map_or_else(|_| refused(), |answer| (200, answer.to_string()))
    });
    (stand_in.await.unwrap(), decrypts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_opens_by_then_is_not_called_tampering() {
    let place = Place::new();
    let (keys, sample) = (place.keys(), Sample::new());
    let id = keys.make_key().await.unwrap();
    for wrapped in [sample.wrap(&keys).await.unwrap(), keys.wrap_under(&id, &sample.request()).await.unwrap()]
    {
        let (stand_in, decrypts) = refusing_once(&place).await;
        let keys = OpenBaoKeys::builder(Origin::parse(&stand_in.origin()).unwrap(), &place.key)
            .ca_der(&stand_in.ca_der())
            .token(token("nobody-looks-at-it"))
            .own_keys()
            .build()
            .unwrap();
        sample.unwrap(&keys, &wrapped).await.unwrap();
        assert_eq!(decrypts.load(Ordering::SeqCst), 2);
        fails(Sample::new().unwrap(&keys, &wrapped).await, ErrorKind::Tampered, "Rejected");
        assert_eq!(decrypts.load(Ordering::SeqCst), 4, "asked once more, and no more than that");
    }
}
