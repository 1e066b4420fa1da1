//! Packages and their signatures.

use crate::support::{ACTOR, guest};
use takst_plugins::package::{Package, PackageError, SIGNATURE, SignError, Signer, Trusted, WASM};

fn packed() -> Package {
    Package::pack(ACTOR, guest("actor").to_vec()).unwrap()
}

fn signed() -> (Package, String) {
    let (secret, public) = Signer::generate(None).unwrap();
    let mut package = packed();
    Signer::read(&secret, None).unwrap().sign(&mut package).unwrap();
    (package, public)
}

#[test]
fn a_package_is_written_and_read() {
    let (package, public) = signed();
    let bytes = package.write().unwrap();
    assert_eq!(bytes, package.write().unwrap());
    let read = Package::read(&bytes).unwrap();
    assert_eq!(read, package);
    let trusted = Trusted::read(&public).unwrap();
    read.verify(&[trusted]).unwrap();
    // The key alone, without its comment, is the same key.
    read.verify(&[Trusted::read(public.lines().nth(1).unwrap()).unwrap()]).unwrap();
    assert!(Package::pack(&package.text, vec![]).unwrap_err().to_string().contains("[wasm]"));
}

#[test]
fn a_signature_counts_only_as_it_was_made() {
    let (package, public) = signed();
    let (other, stranger) = signed();
    let trust = |texts: &[&String]| -> Vec<Trusted> {
        texts.iter().map(|text| Trusted::read(text).unwrap()).collect()
    };
    package.verify(&trust(&[&stranger, &public])).unwrap();
    assert!(matches!(packed().verify(&trust(&[&public])), Err(SignError::Unsigned(_))));
    assert!(matches!(package.verify(&[]), Err(SignError::Stranger(_, 0))));
    assert!(matches!(package.verify(&trust(&[&stranger])), Err(SignError::Stranger(_, 1))));
    // Another manifest under the signature, and the signature of another package.
    let mut changed = package.clone();
    changed.text = changed.text.replace("Does what it is told.", "Does what it wants.");
    assert!(matches!(changed.verify(&trust(&[&public])), Err(SignError::Wrong(_))));
    let mut mixed = package;
    mixed.signature = other.signature;
    assert!(matches!(mixed.verify(&trust(&[&public])), Err(SignError::Stranger(..))));
    mixed.signature = Some("nonsense".to_owned());
    assert!(matches!(mixed.verify(&trust(&[&public])), Err(SignError::Broken(..))));
    assert!(Trusted::read("nonsense").is_err());
    assert!(Signer::read("nonsense", None).is_err());
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // As it stands, tricks and all.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn what_is_in_it_is_looked_at() {
    let package = packed();
    let (text, wasm) = (package.text.as_bytes(), package.wasm.as_slice());
    let says = |entries: &[(&str, &[u8])]| Package::read(&tar(entries)).unwrap_err().to_string();
    Package::read(&tar(&[("plugin.toml", text), (WASM, wasm)])).unwrap();
    for name in ["../plugin.toml", "/etc/passwd", "./plugin.toml", "sub/plugin.toml", "run.sh"] {
        assert!(says(&[("plugin.toml", text), (WASM, wasm), (name, b"x")]).contains("in it"), "{name}");
    }
    assert!(says(&[("plugin.toml", text), (WASM, wasm), (WASM, wasm)]).contains("twice"));
    assert!(says(&[("plugin.toml", text)]).contains("no `plugin.wasm`"));
    assert!(says(&[(WASM, wasm)]).contains("no `plugin.toml`"));
    assert!(says(&[("plugin.toml", ACTOR.as_bytes()), (WASM, wasm)]).contains("does not name the sha256"));
    assert!(says(&[("plugin.toml", text), (WASM, &wasm[1..])]).contains("changed after packing"));
    assert!(says(&[("plugin.toml", &vec![b'#'; 300_000]), (WASM, wasm)]).contains("more than"));
    assert!(says(&[("plugin.toml", b"\xff\xfe"), (WASM, wasm)]).contains("UTF-8"));
    assert!(says(&[("plugin.toml", text), (WASM, wasm), (SIGNATURE, b"\xff")]).contains("UTF-8"));
    let wrong = Package::read(&tar(&[("plugin.toml", b"id = 1"), (WASM, wasm)])).unwrap_err();
    assert!(matches!(wrong, PackageError::Manifest(_)), "{wrong}");
    // A link is no file, whatever its name.
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "plugin.wasm", "/etc/passwd").unwrap();
    assert!(Package::read(&builder.into_inner().unwrap()).unwrap_err().to_string().contains("no plain file"));
}

#[test]
fn a_package_that_lies_about_sizes_is_refused() {
    let mut bytes = packed().write().unwrap();
    // The size of the first entry, in octal: eight gigabytes.
    bytes[124..135].copy_from_slice(b"77777777777");
    assert!(Package::read(&bytes).is_err());
    let whole = packed().write().unwrap();
    for end in (0..whole.len()).step_by(997) {
        // Cut anywhere: an error or, where only the end marks are missing, the same package.
        if let Ok(package) = Package::read(&whole[..end]) {
            assert_eq!(package, packed());
        }
    }
}
