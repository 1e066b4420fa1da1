//! `takst-tree-sitter LIBRARY`: makes the library that Helix and Neovim load from `grammar.js`. It needs Node.js and a C compiler (`cc`, or what
//! `CC` names).

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The oldest ABI that editors of today still take, so that all of them do.
const ABI: usize = 14;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [library] = arguments.as_slice() else {
        eprintln!("usage: takst-tree-sitter LIBRARY, as in ~/.config/helix/runtime/grammars/tariff.so");
        return ExitCode::from(2);
    };
    match make(library) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}: {error}", library.display());
            ExitCode::FAILURE
        }
    }
}

fn make(library: &Path) -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = tempfile::tempdir()?;
    let folder = made.path().to_str().ok_or("the folder for temporary files has no Unicode name")?;
    tree_sitter_generate::generate_parser_in_directory(here, Some(folder), None, ABI, None, Some("node"))
        .map_err(|error| format!("the grammar was not understood (is Node.js there?): {error}"))?;
    if let Some(parent) = library.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let done = Command::new(&compiler)
        .args(["-shared", "-fPIC", "-O2", "-I", folder])
        .arg(made.path().join("parser.c"))
        .arg("-o")
        .arg(library)
        .status()
        .map_err(|error| format!("{} could not be started: {error}", compiler.to_string_lossy()))?;
    if done.success() { Ok(()) } else { Err("the C compiler refused the parser".into()) }
}
