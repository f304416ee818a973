//! Proxies that the environment names.

use std::process::Command;

use crate::support::{Backlog, Scene};

const CHILD: &str = "TOKENKEEP_TEST_BEHIND_A_PROXY";
const NAME: &str = "proxies::the_environment_s_proxies_are_ignored";

/// Runs itself in a child process, whose environment names a proxy.
#[test]
fn the_environment_s_proxies_are_ignored() {
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let scene = Scene::new().await;
            scene.me(&scene.transport()).await.unwrap();
            assert_eq!(scene.stand_in.requests().len(), 1);
        });
        return;
    }
    let proxy = Backlog::new();
    let url = format!("http://127.0.0.1:{}", proxy.port());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", NAME]).env(CHILD, "1").env_remove("NO_PROXY").env_remove("no_proxy");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, &url).env(name.to_lowercase(), &url);
    }
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(proxy.connections(), 0);
}
