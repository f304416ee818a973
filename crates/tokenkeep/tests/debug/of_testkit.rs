//! tokenkeep-testkit: its tokens are fake, and what a test prints is seen by as many all the same. What is for a test to look into, an
//! answer that it makes up or a log that it caught, shows what it holds.

use tokenkeep_testkit::{
    Access, ApifyStandIn, CapturedLog, Fault, InTheWay, JsonStandIn, LeakScanner, RecordedRequest, Run,
    ThrowawayPostgres, TlsFront, TlsProxy,
};

use crate::Secrets;
use crate::shown::{Shown, show, show_small};

pub(crate) async fn show(shown: &mut Shown, secrets: &Secrets) {
    let access = Access::full("FakeUser17", "jane-doe");
    let stand_in = ApifyStandIn::start().await.unwrap();
    stand_in.grant(&secrets.token, access.clone());
    stand_in.add_run("FakeUser17", Run::default());
    show!(shown, tokenkeep_testkit::Access: access);
    show!(shown, tokenkeep_testkit::Run: Run::default());
    show!(shown, tokenkeep_testkit::ApifyStandIn: stand_in);
    show!(shown, tokenkeep_testkit::JsonStandIn: JsonStandIn::start(|_| (200, "{}".into())).await.unwrap());
    show!(shown, tokenkeep_testkit::Fault: Fault::EchoAuthorization, Fault::status(401, "invalid-token"));
    show!(shown, tokenkeep_testkit::CapturedLog: CapturedLog::new());
    show!(shown, tokenkeep_testkit::InTheWay: InTheWay::Silence);
    show!(shown, tokenkeep_testkit::TlsProxy: TlsProxy::start(stand_in.port(), &stand_in.ca_der()).await.unwrap());
    show!(shown, tokenkeep_testkit::PostgresBuilder: ThrowawayPostgres::builder());

    let scanner = LeakScanner::new().token("the token", &secrets.token);
    let leaks = scanner.scan_bytes("a log", secrets.token.as_bytes());
    show!(shown, tokenkeep_testkit::LeakScanner: scanner);
    show!(shown, tokenkeep_testkit::Leak: leaks[0]);
    let request = recorded(secrets).await;
    assert!(request.bearer() == Some(&secrets.token));
    show!(shown, tokenkeep_testkit::RecordedRequest: request);
    front(shown, secrets).await;
    show_small!(shown, tokenkeep_testkit::LeakEncoding, tokenkeep_testkit::Scope);
}

/// TLS before a server, which a request with the token went through.
async fn front(shown: &mut Shown, secrets: &Secrets) {
    // Nobody answers behind it.
    let front = TlsFront::start(9).await.unwrap();
    let origin = tokenkeep_core::Origin::parse(&front.origin()).unwrap();
    let apify = tokenkeep_apify::Apify::builder().origin(origin.clone()).extra_root_der(&front.ca_der());
    let apify = apify.retries(tokenkeep_apify::Retries::none()).build().unwrap();
    apify.with(tokenkeep_core::Credential::fixed(origin, secrets.token())).me().await.unwrap_err();
    let exchange = front.take_exchanges().remove(0);
    assert!(exchange.request.bearer() == Some(&secrets.token));
    show!(shown, tokenkeep_testkit::Exchange: exchange);
    show!(shown, tokenkeep_testkit::TlsFront: front);
}

/// A request that carried the token.
async fn recorded(secrets: &Secrets) -> RecordedRequest {
    let stand_in = ApifyStandIn::start().await.unwrap();
    let origin = tokenkeep_core::Origin::parse(&stand_in.origin()).unwrap();
    let apify = tokenkeep_apify::Apify::builder().origin(origin.clone()).extra_root_der(&stand_in.ca_der());
    let client = apify.build().unwrap().with(tokenkeep_core::Credential::fixed(origin, secrets.token()));
    client.me().await.unwrap_err();
    stand_in.requests().remove(0)
}
