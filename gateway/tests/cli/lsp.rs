//! `takst lsp` with an editor of somebody else's making: PyPI `pygls` over standard input and output.
//!
//! `python3` with `venv` is needed, and PyPI for the first run: the packages go to a virtual environment under `target/`.
//! `TAKST_LSP_PYTHON` names a Python that has `pygls` 2.1.1 already.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

// A Python that has the packages, installed once.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        if let Some(named) = std::env::var_os("TAKST_LSP_PYTHON") {
            return named.into();
        }
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("an-editor");
        let python = home.join("bin/python");
        let has = |python: &Path| {
            let probe = "import pygls, importlib.metadata as m; assert m.version('pygls') == '2.1.1'";
            Command::new(python).args(["-c", probe]).output().is_ok_and(|output| output.status.success())
        };
        if !has(&python) {
            let run = |command: &mut Command| {
                let output = command.output();
                let fine = output.as_ref().is_ok_and(|output| output.status.success());
                let hint = "this test needs `python3` with `venv` (Debian: python3-venv) and PyPI, or TAKST_LSP_PYTHON \
                            naming a Python with `pip install pygls==2.1.1`";
                assert!(fine, "{hint}: {command:?}: {output:?}");
            };
            run(Command::new("python3").args(["-m", "venv"]).arg(&home));
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "pygls==2.1.1"]));
        }
        python
    })
}

// One visit of the editor to the end.
fn visit(what: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python_lsp/editor.py");
    let output =
        Command::new(python()).arg(script).args([env!("CARGO_BIN_EXE_takst"), what]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("fine"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn mistakes_show_while_typing() {
    visit("typing");
}

#[test]
fn an_editor_asks_and_is_answered() {
    visit("asking");
}

#[test]
fn advice_is_a_hint_that_can_be_called_fine() {
    visit("advice");
}

#[test]
fn lists_based_on_others_follow_them() {
    visit("bases");
}

#[test]
fn nonsense_is_answered() {
    visit("nonsense");
}
