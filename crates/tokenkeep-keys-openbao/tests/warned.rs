//! What a log says of a renewal that fails. A program of its own: a log that a test shares with others running beside it misses events.

use std::time::Duration;

use serde_json::json;
use tokenkeep_core::{ApiToken, Origin};
use tokenkeep_keys::KeyProvider;
use tokenkeep_keys_openbao::OpenBaoKeys;
use tokenkeep_testkit::{CapturedLog, JsonStandIn, LeakScanner};

const TOKEN: &str = "the-token-that-nobody-may-see";
const SAID: &str = "what-the-service-says";

#[tokio::test]
async fn a_renewal_that_fails_is_warned_of_while_the_token_still_holds() {
    let log = CapturedLog::new();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let service = JsonStandIn::start(|request| {
        let path = request.path();
        if path.ends_with("renew-self") {
            return (500, json!({ "errors": [SAID] }).to_string());
        }
        let data = match path.ends_with("lookup-self") {
            true => json!({ "ttl": 3, "expire_time": "2099-01-01T00:00:00Z", "renewable": true }),
            false => json!({
                "type": "aes256-gcm96", "derived": true, "exportable": false, "allow_plaintext_backup": false,
                "latest_version": 1, "min_decryption_version": 1, "keys": { "1": 1 },
            }),
        };
        (200, json!({ "data": data }).to_string())
    })
    .await
    .unwrap();
    let keys = OpenBaoKeys::builder(Origin::parse(&service.origin()).unwrap(), "key")
        .ca_der(&service.ca_der())
        .token(ApiToken::new(TOKEN.to_owned()).unwrap())
        .build()
        .unwrap();
    let warned = || String::from_utf8(log.bytes()).unwrap().contains("could not be renewed");
    keys.keks().await.unwrap();
    assert!(!warned());
    // Two thirds of three seconds.
    tokio::time::sleep(Duration::from_millis(2050)).await;
    keys.keks().await.unwrap();
    let text = String::from_utf8(log.bytes()).unwrap();
    assert!(warned() && text.contains("WARN") && text.contains("HTTP status 500"), "{text}");
    // Not again at every call.
    let renewals =
        || service.requests().iter().filter(|request| request.path().ends_with("renew-self")).count();
    assert_eq!(renewals(), 1);
    for _ in 0..5 {
        keys.keks().await.unwrap();
    }
    assert!(renewals() <= 2, "{} renewals in a moment", renewals());
    let scanner = LeakScanner::new().token("the token", TOKEN).token("an answer", SAID);
    assert!(scanner.scan_bytes("log", text.as_bytes()).is_empty());
}
