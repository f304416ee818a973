//! tokenkeep-https: calls that were made with a token, and failed with it.

use tokenkeep_apify::Boundary;
use tokenkeep_core::{Credential, Error, Origin};
use tokenkeep_https::{CallFailure, Method, Passage, Proxy, Retries, Transport};
use tokenkeep_testkit::{Access, ApifyStandIn, Fault, JsonStandIn, Run};
use zeroize::Zeroizing;

use crate::of_core::spec;
use crate::shown::{Shown, show};
use crate::{Secrets, of_apify};

pub(crate) async fn show(shown: &mut Shown, secrets: &Secrets) {
    let stand_in = ApifyStandIn::start().await.unwrap();
    stand_in.grant(&secrets.token, Access::full("FakeUser17", "jane-doe"));
    stand_in.add_run("FakeUser17", Run::default());
    let mut spec = spec();
    spec.origin = Origin::parse(&stand_in.origin()).unwrap();
    let credential = Credential::fixed(spec.origin.clone(), secrets.token());

    let builder = Transport::builder(spec.clone())
        .extra_root_der(&stand_in.ca_der())
        .boundary(Boundary::all())
        .retries(Retries::none());
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
    show!(shown, tokenkeep_https::AnswerStream: call().stream().await.unwrap());
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
    let transport = Transport::builder(spec.clone())
        .extra_root_der(&echo.ca_der())
        .retries(Retries::none())
        .build()
        .unwrap();
    // In the URL too, which the HTTP library's own errors name.
    let call = |to: &Transport| to.get("/v2/x").query("key", &secrets.token).credential(&credential);
    let answer = call(&transport).send().await.unwrap();
    assert!(String::from_utf8_lossy(answer.body()).contains("***"), "it came back, and was starred out");
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

    of_apify::show(shown, secrets, &stand_in).await;
    let proxy = Proxy::new("http://localhost:9").unwrap();
    let proxy = proxy.login("jane", Zeroizing::new(secrets.token.clone())).unwrap();
    show!(shown, tokenkeep_https::TransportBuilder: Transport::builder(spec).proxy(proxy.clone()));
    show!(shown, tokenkeep_https::Proxy: proxy);
    show!(shown, tokenkeep_https::Retries: Retries::standard());
    show!(shown, tokenkeep_https::Method: Method::GET);
    show!(shown, tokenkeep_https::Passage: Passage::Projected, Passage::Refused("not as it should be"));
}

/// What one call failed with: the error, and what its chain of causes has.
pub(crate) fn error(shown: &mut Shown, error: &Error) {
    shown.add_error("tokenkeep_core::Error", error);
    if let Some(failure) = CallFailure::of(error) {
        shown.add_error("tokenkeep_https::CallFailure", failure);
    }
}
