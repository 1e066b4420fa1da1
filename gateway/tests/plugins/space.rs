//! What plugins keep, in both databases.

use crate::store_support::*;
use std::collections::BTreeMap;
use takst_gateway::plugins::Space;
use takst_gateway::store::*;
use takst_plugins::kv::{Changes, Kv as _};

fn changes(all: &[(&str, Option<&[u8]>)]) -> Changes {
    all.iter().map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec))).collect()
}

async fn names(space: &Space, prefix: &str, after: Option<&str>, most: usize) -> Vec<String> {
    space.names(prefix, after, most).await.unwrap()
}

async fn a_plugin_keeps_its_own_and_no_other_one_sees_it(place: Place) {
    let store = place.open().await;
    let space = Space::new(store.clone(), org(), "one");
    let every_byte: Vec<u8> = (0..=255).collect();
    let kept = [
        ("b", Some(&b"2"[..])),
        ("a/2", Some(&every_byte[..])),
        ("a/10", Some(&b""[..])),
        ("A", Some(&b"x"[..])),
        ("\u{e6}\0 '%_", Some(&b"odd"[..])),
    ];
    space.commit(&changes(&kept)).await.unwrap();
    assert_eq!(space.get("a/2").await.unwrap(), Some(every_byte.clone()));
    assert_eq!(space.get("a/10").await.unwrap(), Some(Vec::new()));
    assert_eq!(space.get("\u{e6}\0 '%_").await.unwrap(), Some(b"odd".to_vec()));
    assert_eq!(space.get("c").await.unwrap(), None);
    // In the order of their bytes, whatever the database's language is.
    assert_eq!(names(&space, "", None, 10).await, ["A", "a/10", "a/2", "b", "\u{e6}\0 '%_"]);
    assert_eq!(names(&space, "a", None, 10).await, ["a/10", "a/2"]);
    assert_eq!(names(&space, "", Some("a/10"), 2).await, ["a/2", "b"]);
    assert_eq!(names(&space, "%", None, 10).await, [""; 0]);
    let bytes: usize = kept.iter().map(|(name, value)| name.len() + value.unwrap().len()).sum();
    assert_eq!(space.size().await.unwrap(), u64::try_from(bytes).unwrap());

    space.commit(&changes(&[("b", None), ("A", Some(b"longer")), ("never", None)])).await.unwrap();
    assert_eq!(space.get("b").await.unwrap(), None);
    assert_eq!(space.get("A").await.unwrap(), Some(b"longer".to_vec()));
    assert_eq!(space.size().await.unwrap(), u64::try_from(bytes - 2 + 5).unwrap());

    for other in [Space::new(store.clone(), org(), "two"), Space::new(store.clone(), OrgId::new("x"), "one")]
    {
        assert_eq!((names(&other, "", None, 10).await.len(), other.size().await.unwrap()), (0, 0));
        assert_eq!(other.get("A").await.unwrap(), None);
    }
}
both!(a_plugin_keeps_its_own_and_no_other_one_sees_it);

async fn it_goes_into_a_backup_and_into_either_database(place: Place) {
    let store = place.open().await;
    let space = Space::new(store.clone(), org(), "one");
    let kept: BTreeMap<String, Option<Vec<u8>>> =
        (0..100_u8).map(|number| (format!("key {number}"), Some(vec![number; 40]))).collect();
    space.commit(&kept).await.unwrap();
    let file = place.dir.path().join("backup");
    let saved = store.backup(&file).await.unwrap();
    assert_eq!(saved["plugin_value"].rows, 100);
    store.close().await;
    for target in [Place::sqlite(), Place::postgres().await] {
        assert_eq!(restore(&file, &target.url, Since::Nothing).await.unwrap(), saved);
        let space = Space::new(target.open().await, org(), "one");
        assert_eq!(space.get("key 7").await.unwrap(), Some(vec![7; 40]));
        assert_eq!(names(&space, "key", None, 1_000).await.len(), 100);
    }
}
both!(it_goes_into_a_backup_and_into_either_database);
