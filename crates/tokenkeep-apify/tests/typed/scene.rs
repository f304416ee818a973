//! A stand-in and clients of it.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_apify::{Apify, ApifyClient, Boundary, NewEnvVar, Retries};
use tokenkeep_core::{ApiToken, Credential, Origin};
use tokenkeep_testkit::{Access, ApifyStandIn, fake_token};

pub(crate) const ACCOUNT: &str = "FakeUser000000001";

pub(crate) struct Scene {
    pub(crate) stand_in: ApifyStandIn,
    pub(crate) token: String,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let (stand_in, token) = (ApifyStandIn::start().await.unwrap(), fake_token());
        stand_in.grant(&token, Access::full(ACCOUNT, "jane-doe"));
        Self { stand_in, token }
    }

    pub(crate) fn client(&self, boundary: Boundary) -> ApifyClient {
        client(&self.stand_in.origin(), &self.stand_in.ca_der(), &self.token, boundary)
    }

    /// Everything that the calls of the table ask for.
    pub(crate) async fn furnished() -> Self {
        let scene = Self::new().await;
        let variable = NewEnvVar::plain("MY_KEY", "a value".to_owned());
        let env_vars = scene.client(Boundary::all()).actor("jane-doe~price-watch").env_vars("0.1");
        env_vars.create(&variable).await.unwrap();
        scene.stand_in.clear_requests();
        scene
    }
}

/// A client that makes each call once.
pub(crate) fn client(origin: &str, ca_der: &[u8], token: &str, boundary: Boundary) -> ApifyClient {
    let (apify, credential) = apify(origin, ca_der, token, boundary);
    apify.with(credential)
}

/// What such a client is made of.
pub(crate) fn apify(origin: &str, ca_der: &[u8], token: &str, boundary: Boundary) -> (Apify, Credential) {
    let origin = Origin::parse(origin).unwrap();
    let apify = Apify::builder()
        .origin(origin.clone())
        .extra_root_der(ca_der)
        .retries(Retries::none())
        .timeout(Duration::from_secs(20))
        .boundary(boundary)
        .build()
        .unwrap();
    (apify, Credential::fixed(origin, Arc::new(ApiToken::new(token.to_owned()).unwrap())))
}
