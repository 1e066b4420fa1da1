//! New versions while calls run.

use crate::support::{act, host_with, installation, limited_in, said};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use takst_plugins::http::transport::{Outgoing, Transport};
use takst_plugins::model::http::{Response, SendError};
use takst_plugins::registry::Registry;
use tokio::sync::Semaphore;

// Lets a request through when it is told to.
struct Gate(Arc<Semaphore>);

impl Transport for Gate {
    fn send(&self, _: Outgoing) -> BoxFuture<'_, Result<Response, SendError>> {
        Box::pin(async {
            self.0.acquire().await.unwrap().forget();
            Ok(Response { status: 200, headers: vec![], body: b"through".to_vec() })
        })
    }
}

#[tokio::test]
async fn calls_and_bound_things_keep_their_version() {
    let gate = Arc::new(Semaphore::new(0));
    let host = host_with(Arc::new(Gate(Arc::clone(&gate))));
    let one = limited_in(&host, "");
    let registry = Registry::default();
    registry.put(one.clone());
    let pin = one.pin();
    let running = {
        let plugin = registry.get("actor").unwrap();
        tokio::spawn(async move { said(act(&plugin, "http", "https://api.example.com/", "").await) })
    };
    while host.load().running == 0 {
        tokio::task::yield_now().await;
    }
    // The second version, while a call of the first runs.
    let text = crate::support::ACTOR.replace("version = \"1.0.0\"", "version = \"1.1.0\"");
    let code = host.code(&crate::support::manifest(&text), crate::support::guest("actor")).unwrap();
    registry.put(host.plugin(&code, installation(&code.manifest)));
    assert_eq!(registry.get("actor").unwrap().pin().version, "1.1.0");
    assert_eq!(registry.pinned("actor", &pin).unwrap().pin(), pin);
    assert_eq!(registry.older(), [("actor".to_owned(), pin.clone())]);
    // The same version with other settings only takes its own place.
    registry.put(host.plugin(&code, installation(&code.manifest)));
    assert_eq!(registry.older().len(), 1);
    registry.drain(|_, _| true);
    assert!(registry.pinned("actor", &pin).is_some());
    registry.drain(|name, old| !(name == "actor" && *old == pin));
    assert!(registry.pinned("actor", &pin).is_none());
    drop(one);
    // Nobody knows the first version any more, but its call ends as it should.
    gate.add_permits(1);
    assert!(running.await.unwrap().ends_with("through"));
    registry.remove("actor");
    assert!(registry.get("actor").is_none() && registry.all().is_empty());
    assert_eq!(registry.older()[0].1.version, "1.1.0");
}
