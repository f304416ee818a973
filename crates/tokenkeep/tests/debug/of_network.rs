//! tokenkeep-https and tokenkeep-apify: calls that were made with a token, and failed with it.

use tokenkeep_apify::{Apify, Boundary, TokenShape};
use tokenkeep_core::{Credential, Error, ErrorKind, Origin};
use tokenkeep_https::{CallFailure, Method, Passage, Transport};
use tokenkeep_testkit::{Access, ApifyStandIn, Fault, JsonStandIn, Run};
use zeroize::Zeroizing;

use crate::Secrets;
use crate::of_core::spec;
use crate::shown::{Shown, show, show_small};

pub(crate) async fn show(shown: &mut Shown, secrets: &Secrets) {
    let stand_in = ApifyStandIn::start().await.unwrap();
    stand_in.grant(&secrets.token, Access::full("FakeUser17", "jane-doe"));
    stand_in.add_run("FakeUser17", Run::default());
    let mut spec = spec();
    spec.origin = Origin::parse(&stand_in.origin()).unwrap();
    let credential = Credential::fixed(spec.origin.clone(), secrets.token());

    let builder =
        Transport::builder(spec.clone()).extra_root_der(&stand_in.ca_der()).boundary(Boundary::all());
    let transport = builder.clone().build().unwrap();
    let call = || transport.get("/v2/actor-runs").credential(&credential);
    show!(shown, tokenkeep_https::TransportBuilder: builder);
    show!(shown, tokenkeep_https::Transport: transport);
    let body = Zeroizing::new(format!("{{\"token\":\"{}\"}}", secrets.token).into_bytes());
    let careless = call().query("token", &secrets.token).header("x-token", &secrets.token).json(body.clone());
    show!(shown, tokenkeep_https::Call: call(), careless);
    error(shown, &careless.send().await.unwrap_err());
    error(shown, &call().segment(&format!("{}/..", secrets.token)).send().await.unwrap_err());
    let error_of = |bad: &str| Error::from(Boundary::analytics().judge("GET", bad).unwrap_err());
    error(shown, &error_of(&format!("/v2/datasets/{}/items", &secrets.token[15..])));
    error(shown, &error_of(&format!("/v2/users/me?token={}", secrets.token)));

    // Each call with the token, and each failure with whatever the other side makes of it.
    show!(shown, tokenkeep_https::Answer: call().send().await.unwrap());
    for fault in [
        Fault::EchoAuthorization,
        Fault::NotJson,
        Fault::CloseWithoutAnswer,
        Fault::Redirect(format!("https://localhost/{}", secrets.token)),
        Fault::status(401, "invalid-token"),
        Fault::status(403, "insufficient-permissions"),
        Fault::status(404, "record-or-token-not-found"),
        Fault::status(429, &secrets.token),
        Fault::status(500, "internal-error"),
    ] {
        stand_in.answer_next(fault.clone());
        let answer = call().errors_as_answers().send().await;
        answer.iter().for_each(|answer| show!(shown, tokenkeep_https::Answer: *answer));
        stand_in.answer_next(fault);
        // Under `all` a body that is no JSON fails where it is read.
        let failed = call().send().await.and_then(|answer| answer.json::<Vec<u8>>());
        error(shown, &failed.unwrap_err());
    }
    // A body that holds it, which the caller gets; and a server that can't prove who it is, or is not there.
    let echo =
        JsonStandIn::start(|request| (200, format!("{{\"data\":\"{}\"}}", request.bearer().unwrap_or("?"))));
    let echo = echo.await.unwrap();
    spec.origin = Origin::parse(&echo.origin()).unwrap();
    let credential = Credential::fixed(spec.origin.clone(), secrets.token());
    let transport = Transport::builder(spec.clone()).extra_root_der(&echo.ca_der()).build().unwrap();
    // In the URL too, which the HTTP library's own errors name.
    let call = |to: &Transport| to.get("/v2/x").query("key", &secrets.token).credential(&credential);
    let answer = call(&transport).send().await.unwrap();
    assert!(String::from_utf8_lossy(answer.body()).contains(&secrets.token));
    show!(shown, tokenkeep_https::Answer: answer);
    error(shown, &answer.json::<u8>().unwrap_err());
    let stranger = Transport::builder(spec.clone()).extra_root_der(&stand_in.ca_der()).build().unwrap();
    let untrusted = call(&stranger).send().await.unwrap_err();
    assert!(CallFailure::of(&untrusted).is_some_and(CallFailure::is_untrusted));
    error(shown, &untrusted);
    drop(echo);
    for _connection in ["the one that is gone", "another one"] {
        error(shown, &call(&transport).send().await.unwrap_err());
    }

    show_apify(shown, secrets, &stand_in).await;
    show!(shown, tokenkeep_https::Method: Method::GET);
    show!(shown, tokenkeep_https::Passage: Passage::Projected, Passage::Refused("not as it should be"));
}

/// What one call failed with: the error, and what its chain of causes has.
fn error(shown: &mut Shown, error: &Error) {
    shown.add_error("tokenkeep_core::Error", error);
    if let Some(failure) = CallFailure::of(error) {
        shown.add_error("tokenkeep_https::CallFailure", failure);
    }
}

async fn show_apify(shown: &mut Shown, secrets: &Secrets, stand_in: &ApifyStandIn) {
    let origin = Origin::parse(&stand_in.origin()).unwrap();
    let builder = Apify::builder().origin(origin.clone()).extra_root_der(&stand_in.ca_der());
    show!(shown, tokenkeep_apify::ApifyBuilder: builder);
    let apify = builder.build().unwrap();
    let client = apify.with(Credential::fixed(origin, secrets.token()));
    show!(shown, tokenkeep_apify::Apify: apify);
    show!(shown, tokenkeep_apify::ApifyClient: client);
    show!(shown, tokenkeep_apify::Actors: client.actors());
    show!(shown, tokenkeep_apify::Runs: client.runs());
    show!(shown, tokenkeep_apify::List<tokenkeep_apify::Run>: client.runs().list());
    show!(shown, tokenkeep_apify::List<tokenkeep_apify::Actor>: client.actors().list().limit(3));
    show!(shown, tokenkeep_apify::Me: client.me().await.unwrap());
    let runs = client.runs().list().await.unwrap();
    show!(shown, tokenkeep_apify::Page<tokenkeep_apify::Run>: runs);
    show!(shown, tokenkeep_apify::Run: runs.items[0]);
    show!(shown, tokenkeep_apify::RunMeta: runs.items[0].meta.clone());
    show!(shown, tokenkeep_apify::RunStatus: runs.items[0].status);
    show!(shown, tokenkeep_apify::Actor: client.actors().list().await.unwrap().items[0]);
    for fault in [Fault::EchoAuthorization, Fault::NotJson, Fault::status(401, "invalid-token")] {
        stand_in.answer_next(fault);
        error(shown, &client.me().await.unwrap_err());
    }
    stand_in.answer_next(Fault::status(403, "insufficient-permissions"));
    let too_small = client.runs().list().await.unwrap_err();
    assert_eq!(too_small.kind(), ErrorKind::ScopeTooSmall);
    error(shown, &too_small);
    let boundary = Boundary::analytics();
    // An id that is the token's text is no secret for the boundary, and is not kept all the same.
    let admitted = boundary.judge("GET", &format!("/v2/actor-runs/{}", &secrets.token[15..])).unwrap();
    show!(shown, tokenkeep_apify::Admitted: admitted);
    show!(shown, tokenkeep_apify::Boundary: boundary);
    show!(shown, tokenkeep_apify::TokenScope: boundary.token_scope());
    show!(shown, tokenkeep_apify::TokenShape: TokenShape::of(&secrets.token()));
    show_small!(
        shown,
        tokenkeep_apify::Access,
        tokenkeep_apify::Class,
        tokenkeep_apify::Refused,
        tokenkeep_apify::TokenPermission,
    );
}
