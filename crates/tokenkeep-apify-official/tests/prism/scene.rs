//! Prism behind TLS, clients of it, and what passed between them and their backend.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use apify_client::http_client::{HttpBackend, HttpRequest, HttpResponse, StreamingHttpResponse};
use apify_client::{ApifyClient, ApifyClientResult};
use async_trait::async_trait;
use serde_json::Value;
use tokenkeep_apify::{Apify, Boundary, Retries};
use tokenkeep_apify_official::{official_backend, official_builder};
use tokenkeep_core::{ApiToken, Credential, Origin};
use tokenkeep_testkit::{Exchange, TlsFront, fake_token};

use crate::table::{Outcome, Row};

pub(crate) struct Prism {
    front: TlsFront,
    token: String,
}

/// What was seen of one call.
pub(crate) struct Seen {
    pub(crate) outcome: Outcome,
    /// At Prism's door.
    pub(crate) exchanges: Vec<Exchange>,
    /// What the backend gave to the official client, whole.
    pub(crate) answers: Vec<Answer>,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) method: &'static str,
    /// From the path on.
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

impl Prism {
    pub(crate) async fn new() -> Self {
        let port = std::env::var("PRISM_PORT")
            .expect("PRISM_PORT names Prism's port; `cargo xtask test --only prism` sets it");
        let front = TlsFront::start(port.parse().expect("PRISM_PORT is a port")).await.unwrap();
        front.reword_targets(|target| reworded(target, &BOOLEANS));
        Self { front, token: fake_token() }
    }

    pub(crate) fn client(&self, boundary: Boundary) -> Watched {
        let origin = Origin::parse(&self.front.origin()).unwrap();
        let apify = Apify::builder()
            .origin(origin.clone())
            .extra_root_der(&self.front.ca_der())
            .retries(Retries::none())
            .timeout(Duration::from_secs(20))
            .boundary(boundary)
            .build()
            .unwrap();
        let credential = Credential::fixed(origin, Arc::new(ApiToken::new(self.token.clone()).unwrap()));
        let answers = Answers::default();
        let inner = official_backend(&apify, credential.clone());
        let backend = Backend { inner, answers: Arc::clone(&answers) };
        let client = official_builder(&apify, credential).http_backend(Arc::new(backend)).build();
        Watched { client, answers }
    }

    pub(crate) async fn call(&self, row: &Row, watched: &Watched) -> Seen {
        // Of a record the description has an object and then anything at all, and Prism makes no text of an object.
        let accept = row.method.starts_with("KeyValueStoreClient::get_record").then_some("application/json");
        self.front.add_header("accept", accept);
        let outcome = (row.call)(&watched.client).await;
        let answers = std::mem::take(&mut *watched.answers.lock().unwrap_or_else(PoisonError::into_inner));
        Seen { outcome, exchanges: self.front.take_exchanges(), answers }
    }
}

/// The parameters that the description knows as booleans. Its own words take `1` for true, as Apify does and the official client writes;
/// its schemas, by which Prism goes, know `true` and `false` alone.
static BOOLEANS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let file = std::env::var_os("APIFY_OPENAPI").expect("APIFY_OPENAPI is a copy of Apify's API description");
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let description: Value = serde_json::from_slice(&text).expect("the description is JSON");
    let operations = description["paths"].as_object().expect("paths").values();
    let fields = operations.flat_map(|path| path.as_object().expect("operations").values());
    let parameters =
        fields.flat_map(|field| field["parameters"].as_array().or(field.as_array()).into_iter().flatten());
    let (mut booleans, mut others) = (BTreeSet::new(), BTreeSet::new());
    for parameter in parameters {
        let pointer = parameter["$ref"].as_str().map(|pointer| pointer.trim_start_matches('#'));
        let parameter =
            pointer.map_or(parameter, |pointer| description.pointer(pointer).expect("it is there"));
        if parameter["in"] == "query" {
            let kinds = if parameter["schema"]["type"] == "boolean" { &mut booleans } else { &mut others };
            kinds.insert(parameter["name"].as_str().expect("a name").to_owned());
        }
    }
    assert!(booleans.contains("desc") && booleans.is_disjoint(&others), "{booleans:?}");
    booleans
});

impl Seen {
    /// How many requests said of something whether it is true, by `1` or `0`.
    pub(crate) fn reworded(&self) -> usize {
        let targets = self.exchanges.iter().map(|exchange| &exchange.request.target);
        targets.filter(|target| reworded(target, &BOOLEANS) != **target).count()
    }
}

fn reworded(target: &str, booleans: &BTreeSet<String>) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, "1")) if booleans.contains(name) => format!("{name}=true"),
        Some((name, "0")) if booleans.contains(name) => format!("{name}=false"),
        _ => pair.to_owned(),
    });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

#[test]
fn only_booleans_are_reworded() {
    let booleans = BTreeSet::from(["desc".to_owned()]);
    assert_eq!(reworded("/v2/a?limit=1&desc=1", &booleans), "/v2/a?limit=1&desc=true");
    assert_eq!(reworded("/v2/a?desc=0", &booleans), "/v2/a?desc=false");
    for same in ["/v2/desc=1", "/v2/a?desc=2", "/v2/a?desc"] {
        assert_eq!(reworded(same, &booleans), same);
    }
}

type Answers = Arc<Mutex<Vec<Answer>>>;

/// A client, with a look at what its backend gives it.
pub(crate) struct Watched {
    client: ApifyClient,
    answers: Answers,
}

#[derive(Debug)]
struct Backend {
    inner: Arc<dyn HttpBackend>,
    answers: Answers,
}

impl Backend {
    fn keep(&self, request: &HttpRequest, body: &[u8]) {
        let target = request.url.splitn(4, '/').nth(3).expect("a path behind the origin");
        let answer =
            Answer { method: request.method.as_str(), target: format!("/{target}"), body: body.to_vec() };
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }
}

/// A stream is left as it is: what comes of it is what the method gives.
#[async_trait]
impl HttpBackend for Backend {
    async fn send(&self, request: HttpRequest) -> ApifyClientResult<HttpResponse> {
        let answer = self.inner.send(request.clone()).await?;
        self.keep(&request, &answer.body);
        Ok(answer)
    }

    async fn send_streaming(&self, request: HttpRequest) -> ApifyClientResult<StreamingHttpResponse> {
        self.inner.send_streaming(request).await
    }
}
