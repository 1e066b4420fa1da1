//! Builds the plugins that Takst ships, from source, and lists them for `src/plugins/shipped.rs`: the program has them in it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use takst_plugin_build::{Guests, module};

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let plugins = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../plugins").canonicalize()?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let names = shipped(&plugins)?;
    let shared = ["Cargo.toml", "Cargo.lock", "sdk", "wit"];
    for name in shared.into_iter().chain(names.iter().map(String::as_str)) {
        println!("cargo:rerun-if-changed={}", plugins.join(name).display());
    }
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE/out. A folder of their own: cargo holds that of a build that is running.
    let target = out.ancestors().nth(4).ok_or("OUT_DIR does not lie in a target folder")?.join("plugins");
    let manifest = plugins.join("Cargo.toml");
    let built = Guests { manifest: &manifest, target: &target, package: None, locked: true }.build()?;
    let mut list = String::from("&[\n");
    for name in &names {
        let core = out.join(format!("{name}.wasm"));
        std::fs::write(&core, module(&built, name)?)?;
        let about = plugins.join(name).join("plugin.toml");
        writeln!(
            list,
            "    Shipped {{ folder: {name:?}, text: include_str!({about:?}), module: include_bytes!({core:?}) }},"
        )?;
    }
    list.push_str("]\n");
    std::fs::write(out.join("shipped.rs"), list)?;
    Ok(())
}

// The folders of the guests: those with a manifest of a plugin. A package is called like its folder.
fn shipped(plugins: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(plugins)? {
        let path = entry?.path();
        if path.join("plugin.toml").is_file()
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
