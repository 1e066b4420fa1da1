//! Other people's programs as peers of a plugin's tests: Python scripts in a virtual environment of their own.
//!
//! `python3` with `venv` is needed, and PyPI for the first run: the packages go to a virtual environment under `target/`.
//! `TAKST_PEER_PYTHON` names a Python that has them already, `TAKST_PEER_PORT` the first of the ports that peers may listen on.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A peer that runs as long as this lives.
pub struct Peer {
    child: Child,
    /// `http://127.0.0.1:25010`.
    pub address: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its standard input ends with it; this is for a peer that hangs.
        drop(self.child.stdin.take());
        std::thread::sleep(std::time::Duration::from_millis(200));
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Starts a script that listens on the port that it is told, writes a line when it is ready, and ends with its standard input.
/// `scratch` is a folder of the test; `nth` tells peers apart that run at the same time.
pub fn start(script: &Path, scratch: &Path, packages: &[&str], nth: u16, arguments: &[&str]) -> Peer {
    let python = python(scratch, packages);
    let port = port(nth);
    let mut child = Command::new(python)
        .arg(script)
        .arg(port.to_string())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{}: {e}", script.display()));
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = lines.next().and_then(Result::ok).unwrap_or_default();
    assert_eq!(line, "ready", "{} did not start; what it said stands above", script.display());
    // What else it says is shown when a test fails.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| println!("peer: {line}")));
    Peer { child, address: format!("http://127.0.0.1:{port}") }
}

/// A free port with a free one after it.
pub fn port(nth: u16) -> u16 {
    if let Some(first) = std::env::var("TAKST_PEER_PORT").ok().and_then(|text| text.parse::<u16>().ok()) {
        return first + 2 * nth;
    }
    let free = |port| TcpListener::bind(("127.0.0.1", port)).and_then(|listener| listener.local_addr());
    loop {
        let port = free(0).expect("a port").port();
        if port < u16::MAX && free(port + 1).is_ok() {
            return port;
        }
    }
}

fn python(scratch: &Path, packages: &[&str]) -> PathBuf {
    if let Some(named) = std::env::var_os("TAKST_PEER_PYTHON") {
        return named.into();
    }
    let home = scratch.join(format!("peer-{}", packages.join("-").replace("==", "-")));
    let python = home.join("bin/python");
    let done = home.join("done");
    // Several tests ask for the same one at once, in several programs too.
    std::fs::create_dir_all(scratch).expect("a folder for what tests need");
    let lock = std::fs::File::create(
        scratch.join(format!("{}.lock", home.file_name().expect("a name").to_string_lossy())),
    );
    let lock = lock.expect("a lock beside the virtual environment");
    lock.lock().expect("a file can be locked");
    if !done.exists() {
        let run = |command: &mut Command| {
            let output = command.output();
            let fine = output.as_ref().is_ok_and(|output| output.status.success());
            let hint = "this test needs `python3` with `venv` (Debian: python3-venv) and PyPI, or TAKST_PEER_PYTHON naming a Python with";
            assert!(fine, "{hint} {packages:?}: {command:?}: {output:?}");
        };
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages));
        std::fs::write(&done, "").expect("the virtual environment can be written to");
    }
    python
}
