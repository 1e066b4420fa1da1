//! Programs of others, started in a plugin's folder.

use crate::BuildError;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs it to its end.
///
/// # Errors
/// With what it said, if it failed; with what to install, if it is not there.
pub(super) fn run(command: &mut Command, install: &str) -> Result<(), BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            BuildError::Tool { program: program.clone(), said: format!("it is not installed: {install}") }
        }
        _ => BuildError::Start { program: program.clone(), error },
    })?;
    if output.status.success() {
        return Ok(());
    }
    let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.trim().is_empty() {
        said = String::from_utf8_lossy(&output.stdout).into_owned();
    }
    Err(BuildError::Tool { program, said })
}

/// The Python of an environment in the folder (`build/venv`) that has what `requirements.txt` names; made anew when that file changed.
///
/// # Errors
/// When Python, or what is named, cannot be had.
pub(super) fn python(folder: &Path, out: &Path) -> Result<PathBuf, BuildError> {
    let file = |path: &Path, error| BuildError::File { path: path.to_path_buf(), error };
    let list = folder.join("requirements.txt");
    let wanted = std::fs::read_to_string(&list).map_err(|error| file(&list, error))?;
    let venv = out.join("venv");
    let (python, stamp) = (venv.join("bin/python"), venv.join("installed.txt"));
    // Written last: half an environment is none.
    if python.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let install = "install Python 3 with its venv module (Debian: apt-get install python3-venv)";
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv), install)?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    run(Command::new(&python).args(pip).arg(&list), install)?;
    std::fs::write(&stamp, wanted).map_err(|error| file(&stamp, error))?;
    Ok(python)
}
