//! No other host, scheme or port, and no redirect.

use std::net::TcpListener;

use tokenkeep_apify::Boundary;
use tokenkeep_apify_official::{error_of, into_error};
use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::Fault;

use crate::scene::Scene;

#[tokio::test]
async fn no_other_host_scheme_or_port_is_asked_and_no_token_for_it() {
    let scene = Scene::new().await;
    // Where nobody takes a connection, it waits in the backlog and is seen there.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let (own, port) = (scene.stand_in.port(), other.local_addr().unwrap().port());
    for base in [
        format!("https://localhost:{port}"),
        format!("http://localhost:{port}"),
        format!("http://localhost:{own}"),
        format!("https://127.0.0.1:{own}"),
        format!("https://LOCALHOST:{own}"),
        format!("HTTPS://localhost:{own}"),
        format!("https://localhost.:{own}"),
        format!("https://localhost:{own}@localhost:{port}"),
        format!("https://localhost:{own}0"),
        format!("https://localhost:{own}.evil.example"),
        format!("https://localhost:{own}\\@localhost:{port}"),
        format!("https://localhost:{own}?@localhost:{port}"),
        format!("https://user:password@localhost:{own}"),
        format!(" https://localhost:{own}"),
        "https://localhost".to_owned(),
        "https://api.apify.com".to_owned(),
        "file:///".to_owned(),
        String::new(),
    ] {
        let client = scene.builder(Boundary::all()).base_url(&base).build();
        let error = client.me().get().await.unwrap_err();
        assert_eq!(
            error_of(&error).map(tokenkeep_core::Error::kind),
            Some(ErrorKind::Misuse),
            "{base}: {error}"
        );
        let error = client.run("FakeRun0000000001").log().stream().await.err().unwrap();
        assert_eq!(
            error_of(&error).map(tokenkeep_core::Error::kind),
            Some(ErrorKind::Misuse),
            "{base}: {error}"
        );
    }
    assert_eq!((scene.asked().len(), scene.spy.issued()), (0, 0));
    assert!(other.accept().is_err(), "somebody connected");

    // With the base URL that it has, it works; and the listener shows who comes.
    scene.client(Boundary::all()).me().get().await.unwrap();
    drop(std::net::TcpStream::connect(("127.0.0.1", port)).unwrap());
    assert!(other.accept().is_ok());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (scene, elsewhere) = (Scene::new().await, Scene::new().await);
    let client = scene.client(Boundary::all());
    for to in ["/v2/users/me".to_owned(), format!("{}/v2/users/me", elsewhere.stand_in.origin())] {
        scene.stand_in.clear_requests();
        scene.stand_in.answer_next(Fault::Redirect(to));
        let error = client.me().get().await.unwrap_err();
        assert_eq!(into_error(error).kind(), ErrorKind::ProviderMisbehaved);
        assert_eq!(scene.asked(), ["GET /v2/users/me"]);
    }
    assert_eq!(elsewhere.asked().len(), 0);
}
