//! The cache of compiled plugins believes only what this gateway wrote.

use crate::support::{ACTOR, act, echo, guest, installation, manifest, said};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use takst_plugins::host::{Host, Setup};
use takst_plugins::load::{Code, Origin};

fn load(folder: &Path) -> (Host, Arc<Code>) {
    let cache = Some(folder.to_owned());
    let host = Host::new(Setup { cache, transport: echo(), ..Setup::default() }).unwrap();
    let code = host.code(&manifest(ACTOR), guest("actor")).unwrap_or_else(|error| panic!("{error}"));
    (host, code)
}

async fn works(host: &Host, code: &Arc<Code>) {
    let plugin = host.plugin(code, installation(&code.manifest));
    assert_eq!(said(act(&plugin, "echo", "", "fine").await), "fine");
}

fn entry(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.into_iter().find(|path| path.file_name().unwrap() != "key").unwrap()
}

#[tokio::test]
async fn what_was_changed_is_compiled_again_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_, code) = load(folder);
    assert_eq!(code.origin, Origin::Compiled(None));
    let (host, code) = load(folder);
    assert_eq!(code.origin, Origin::Cache);
    works(&host, &code).await;
    for path in [folder.join("key"), entry(folder)] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    let whole = fs::read(entry(folder)).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    // A byte of the MAC, one of the code, a file that is cut off or empty, and one that somebody compiled elsewhere.
    for bytes in [
        flipped(0),
        flipped(whole.len() / 2),
        whole[..whole.len() - 1].to_vec(),
        Vec::new(),
        whole[32..].to_vec(),
    ] {
        fs::write(entry(folder), bytes).unwrap();
        let (host, code) = load(folder);
        let Origin::Compiled(Some(trouble)) = &code.origin else { panic!("{:?}", code.origin) };
        assert!(trouble.contains("not written by this gateway") || trouble.contains("cut off"), "{trouble}");
        works(&host, &code).await;
        assert_eq!(load(folder).1.origin, Origin::Cache, "it was written anew");
    }
}

#[tokio::test]
async fn another_plugins_entry_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    load(folder);
    let name = entry(folder);
    let content = fs::read(&name).unwrap();
    // A whole, rightly signed entry under another plugin's name.
    let mut other = guest("actor").to_vec();
    let at = (0..other.len()).find(|at| other[*at..].starts_with(b"no deed")).unwrap();
    other[at] = b'N';
    let sha = takst_plugins::load::sha256(&other);
    let version = name.file_name().unwrap().to_str().unwrap()[64..].to_owned();
    fs::write(folder.join(format!("{sha}{version}")), content).unwrap();
    let host = Host::new(Setup { cache: Some(folder.to_owned()), ..Setup::default() }).unwrap();
    let code = host.code(&manifest(ACTOR), &other).unwrap();
    assert!(matches!(code.origin, Origin::Compiled(Some(_))), "{:?}", code.origin);
}

#[test]
fn a_key_that_others_could_read_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    load(folder);
    let key = fs::read(folder.join("key")).unwrap();
    fs::set_permissions(folder.join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let (_, code) = load(folder);
    assert!(matches!(code.origin, Origin::Compiled(Some(_))), "{:?}", code.origin);
    assert_ne!(fs::read(folder.join("key")).unwrap(), key);
    assert_eq!(load(folder).1.origin, Origin::Cache);
}
