//! The packages of others, fetched once by their names and kept under `target/`.
//!
//! `TAKST_OCPP_PYTHON` names a Python, `TAKST_OCPP_NODE_MODULES` a folder, that has them already.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const PYTHON: [&str; 3] = ["ocpp==2.1.0", "websockets==17.4", "jsonschema==4.26.0"];
const NODE: [&str; 2] = ["ocpp-rpc@2.2.1", "ws@8.23.0"];
const HINT: &str = "these tests need `python3` with `venv`, `node` and `npm` (Debian: python3-venv nodejs npm), PyPI and \
                    the npm registry; or see TAKST_OCPP_PYTHON and TAKST_OCPP_NODE_MODULES in tests/clients/packages.rs";

/// A script of `python/` to be run.
pub fn python(script: &str) -> Command {
    static HOME: OnceLock<OsString> = OnceLock::new();
    let program = HOME.get_or_init(|| {
        std::env::var_os("TAKST_OCPP_PYTHON").unwrap_or_else(|| {
            let home = fetched("python", &PYTHON, |home| {
                run(Command::new("python3").args(["-m", "venv"]).arg(home));
                let mut pip = Command::new(home.join("bin/python"));
                run(pip
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                    .args(PYTHON));
            });
            home.join("bin/python").into()
        })
    });
    let mut command = Command::new(program);
    // Nothing is written beside the scripts.
    command.arg("-B").arg(scripts().join("python").join(script));
    command
}

/// A script of `node/` to be run.
pub fn node(script: &str) -> Command {
    static HOME: OnceLock<OsString> = OnceLock::new();
    let modules = HOME.get_or_init(|| {
        std::env::var_os("TAKST_OCPP_NODE_MODULES").unwrap_or_else(|| {
            let home = fetched("node", &NODE, |home| {
                std::fs::create_dir_all(home).unwrap();
                let mut npm = Command::new("npm");
                npm.args(["install", "--no-audit", "--no-fund", "--save-exact", "--prefix"])
                    .arg(home)
                    .args(NODE);
                run(&mut npm);
            });
            home.join("node_modules").into()
        })
    });
    let mut command = Command::new("node");
    command.arg(scripts().join("node").join(script)).env("NODE_PATH", modules);
    command
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

// A folder for these packages. A mark is set once all of it is there; who comes meanwhile waits.
fn fetched(name: &str, packages: &[&str], fetch: impl FnOnce(&Path)) -> PathBuf {
    let around = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    std::fs::create_dir_all(&around).unwrap();
    let lock = File::create(around.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let (home, mark) = (around.join(name), around.join(format!("{name}.txt")));
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&mark).ok().as_ref() != Some(&wanted) {
        if home.exists() {
            std::fs::remove_dir_all(&home).unwrap();
        }
        fetch(&home);
        std::fs::write(mark, wanted).unwrap();
    }
    home
}

fn run(command: &mut Command) {
    let output = command.output();
    assert!(output.as_ref().is_ok_and(|output| output.status.success()), "{HINT}: {command:?}: {output:?}");
}
