//! What Apify's errors become.

use tokenkeep_apify::{Boundary, CallFailure, ErrorType};
use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::Fault;

use crate::scene::Scene;

#[tokio::test]
async fn each_of_apifys_errors_is_told_from_the_others() {
    let scene = Scene::new().await;
    for boundary in [Boundary::analytics(), Boundary::all()] {
        let client = scene.client(boundary);
        for (status, error_type, kind) in [
            (400, "invalid-input", ErrorKind::Misuse),
            (401, "user-or-token-not-found", ErrorKind::TokenRefused),
            (402, "x402-payment-required", ErrorKind::PaymentRequired),
            (403, "insufficient-permissions", ErrorKind::ScopeTooSmall),
            (404, "record-not-found", ErrorKind::NotFound),
            (404, "record-or-token-not-found", ErrorKind::NotFoundOrTokenRefused),
            (408, "run-timeout-exceeded", ErrorKind::ProviderUnavailable),
            (409, "env-var-already-exists", ErrorKind::AlreadyExists),
            (418, "something-new", ErrorKind::ProviderMisbehaved),
            (429, "rate-limit-exceeded", ErrorKind::RateLimited),
            (503, "internal-error", ErrorKind::ProviderUnavailable),
        ] {
            scene.stand_in.answer_next(Fault::status(status, error_type));
            let error = client.run("FakeRun0000000000").get().await.unwrap_err();
            assert_eq!(error.kind(), kind, "{status} {error_type}");
            assert_eq!(CallFailure::of(&error).unwrap().status(), Some(status));
            assert_eq!(ErrorType::of(&error).unwrap().as_str(), error_type);
        }
        scene.stand_in.answer_next(Fault::status(400, "No type. At all!"));
        assert_eq!(ErrorType::of(&client.me().await.unwrap_err()), None);
        scene.stand_in.answer_next(Fault::CloseWithoutAnswer);
        assert_eq!(ErrorType::of(&client.me().await.unwrap_err()), None);
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_place_that_can_be_read_in_two_ways() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::all());
    for id in ["", ".", "..", "a/b", "last", "a?b", "a#b", "a b", "..%2Fusers", "a\nb", "me"] {
        for result in [
            client.run(id).get().await.err(),
            client.actor(id).get().await.err(),
            client.actor("jane-doe~price-watch").env_vars(id).list().await.err(),
            client.key_value_store(id).keys().await.err(),
        ] {
            assert_eq!(result.unwrap().kind(), ErrorKind::Misuse, "{id:?}");
        }
    }
    assert!(scene.stand_in.requests().is_empty());
}
