//! The manifests of the plugins that Takst ships.

use std::path::Path;
use takst_plugins::grant::Grant;
use takst_plugins::limits::Limits;
use takst_plugins::manifest::Manifest;

#[test]
fn every_shipped_manifest_is_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path().join("plugin.toml");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let manifest =
            Manifest::read(&path.display().to_string(), &text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(manifest.id, entry.file_name().to_str().unwrap(), "the folder has the plugin's id");
        // What an operator is offered gives the plugin all that it asks for.
        let grant = Grant::all(&manifest);
        assert_eq!(Grant::read("grant.toml", &grant.to_toml()).unwrap(), grant);
        assert_eq!(Limits::effective(&manifest.limits, &grant.limits).1, Vec::<String>::new());
        // Defaults alone are in order; what is missing is only what the operator has to give.
        for finding in manifest.check_settings(&[]) {
            assert!(finding.text.starts_with("missing: "), "{}: {}", finding.setting, finding.text);
        }
        found.push(manifest.id);
    }
    assert!(found.len() >= 5, "{found:?}");
}
