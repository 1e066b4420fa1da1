//! The examples are documentation, test input and demo in one: every tariff is right, tested and in canonical layout, and
//! every command in `examples/README.md` prints what stands there. With `UPDATE=1` the outputs in it are written anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a panic is a failed test"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{read_dir, read_to_string, write};
use std::path::{Path, PathBuf};
use std::process::Command;
use takst_dsl::compile::Compiled;
use takst_dsl::{SourceFile, compile, format, scenario};
use takst_engine::Prepared;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples").canonicalize().unwrap()
}

/// Every file below `examples/`, relative to it. Plugins have a list and tests of their own (`plugins/build/tests/kit.rs`), and what is built of them beside them.
fn files() -> BTreeSet<String> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path == root.join("plugins") {
                continue;
            }
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&folder(), &folder(), &mut found);
    found
}

fn tariffs() -> Vec<(String, Compiled)> {
    let tariffs: Vec<_> = files().into_iter().filter(|file| file.ends_with(".tariff")).collect();
    assert!(tariffs.len() >= 15, "only {} tariffs", tariffs.len());
    let read = |path: &str| read_to_string(folder().join(path)).map_err(|error| format!("{path}: {error}"));
    let compiled = |path: String| {
        let (place, name) = path.rsplit_once('/').unwrap();
        let main = SourceFile { name: name.into(), text: read(&path).unwrap() };
        let compiled = compile(main, &mut |base| {
            Ok(SourceFile { name: base.into(), text: read(&format!("{place}/{base}"))? })
        });
        (path.clone(), compiled)
    };
    tariffs.into_iter().map(compiled).collect()
}

#[test]
fn every_tariff_compiles_without_a_word() {
    let all = tariffs();
    let bases: BTreeSet<&str> = all
        .iter()
        .flat_map(|(_, compiled)| compiled.sources.iter().skip(1))
        .map(|base| base.name.as_str())
        .collect();
    for (path, compiled) in &all {
        let said: Vec<_> =
            compiled.diagnostics.iter().map(|said| format!("{} {}", said.code, said.message)).collect();
        if compiled.abstract_list {
            assert!(said.is_empty(), "{path}: {said:?}");
            assert!(bases.contains(path.rsplit('/').next().unwrap()), "{path}: no list is based on it");
        } else {
            assert!(said.is_empty(), "{path}: {said:?}");
            assert!(compiled.tariff.is_some(), "{path}");
        }
    }
}

#[test]
fn every_tariff_passes_its_tests() {
    let mut wrong = String::new();
    for (path, compiled) in tariffs() {
        let Some(tariff) = compiled.tariff else {
            assert!(compiled.abstract_list, "{path}: {:?}", compiled.diagnostics);
            continue;
        };
        let prepared = Prepared::new(tariff).unwrap();
        let results = scenario::run(&compiled.files[0], &prepared);
        assert!(!results.is_empty(), "{path} has no tests");
        for failure in
            results.iter().flat_map(|result| result.failures.iter().map(move |failure| (result, failure)))
        {
            let (result, failure) = failure;
            let (expected, got) = (failure.expected.as_deref(), failure.got.as_deref());
            writeln!(wrong, "{path}: {}: {} {expected:?} {got:?}", result.name, failure.message).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_tariff_is_in_canonical_layout() {
    for (path, compiled) in tariffs() {
        let text = &compiled.sources[0].text;
        let formatted = format::format(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(formatted == *text, "{path} should be\n{formatted}");
    }
}

/// A `$ takst ...` line of the README, what stands below it, and where that is: lines from..to.
struct Shown {
    command: Vec<String>,
    output: Vec<String>,
    lines: std::ops::Range<usize>,
}

/// The commands in the README's `console` blocks.
fn commands(readme: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let mut inside = false;
    for (number, line) in readme.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside {
            if let Some(command) = line.strip_prefix("$ takst ") {
                let command = command.split_whitespace().map(str::to_owned).collect();
                found.push(Shown { command, output: Vec::new(), lines: number + 1..number + 1 });
            } else {
                let shown = found.last_mut().expect("output below a command");
                shown.output.push(line.to_owned());
                shown.lines.end = number + 1;
            }
        }
    }
    found
}

/// `*` in an argument: the files that fit, as the shell writes them out.
fn written_out(argument: &str) -> Vec<String> {
    if !argument.contains('*') {
        return vec![argument.to_owned()];
    }
    let parts: Vec<&str> = argument.split('/').collect();
    let fits = |pattern: &str, name: &str| match pattern.split_once('*') {
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
        None => pattern == name,
    };
    let fitting = |file: &String| {
        let names: Vec<&str> = file.split('/').collect();
        names.len() == parts.len() && parts.iter().zip(names).all(|(part, name)| fits(part, name))
    };
    let found: Vec<String> = files().into_iter().filter(fitting).collect();
    assert!(!found.is_empty(), "`{argument}` fits no file");
    found
}

/// The program, built from this source: the one that `TAKST_PROGRAM` names, or else built here.
fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("TAKST_PROGRAM") {
        return program.into();
    }
    let own = std::env::current_exe().unwrap();
    let profile = own.ancestors().nth(2).unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "takst-gateway", "--target-dir"]);
    build.arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success(), "the program cannot be built");
    profile.join(format!("takst{}", std::env::consts::EXE_SUFFIX))
}

/// Whether `shown` is `output`; a line `...` in it stands for any lines.
fn same(shown: &[String], output: &[&str]) -> bool {
    let Some((first, rest)) = shown.split_first() else { return output.is_empty() };
    if first == "..." {
        return (0..=output.len()).any(|skipped| same(rest, &output[skipped..]));
    }
    output.split_first().is_some_and(|(line, others)| line == first && same(rest, others))
}

/// `output`, with as many lines left out as `before` leaves out.
fn shortened(output: &[&str], before: &[String]) -> Vec<String> {
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    match before.iter().position(|line| line == "...") {
        Some(head) if output.len() > before.len() => {
            let tail = before.len() - head - 1;
            [owned(&output[..head]), owned(&["..."]), owned(&output[output.len() - tail..])].concat()
        }
        _ => owned(output),
    }
}

#[test]
fn every_command_in_the_readme_prints_what_stands_there() {
    let readme = read_to_string(folder().join("README.md")).unwrap();
    let program = program();
    let update = std::env::var_os("UPDATE").is_some();
    let mut lines: Vec<String> = readme.lines().map(str::to_owned).collect();
    let mut wrong = String::new();
    let shown = commands(&readme);
    assert!(shown.len() >= 15, "only {} commands", shown.len());
    for shown in shown.iter().rev() {
        let arguments: Vec<String> =
            shown.command.iter().flat_map(|argument| written_out(argument)).collect();
        let run = Command::new(&program)
            .args(&arguments)
            .current_dir(folder())
            .env("COLUMNS", "80")
            .output()
            .unwrap();
        let command = shown.command.join(" ");
        let output = String::from_utf8(run.stdout).unwrap();
        if !run.status.success() {
            writeln!(wrong, "takst {command}: {}\n{}", run.status, String::from_utf8_lossy(&run.stderr))
                .unwrap();
            continue;
        }
        // Empty lines at the end of a block would look odd.
        let output: Vec<&str> = output.trim_end().lines().map(str::trim_end).collect();
        if !same(&shown.output, &output) {
            if update {
                lines.splice(shown.lines.clone(), shortened(&output, &shown.output));
            } else {
                writeln!(wrong, "takst {command} prints\n{}\n", output.join("\n")).unwrap();
            }
        }
    }
    if update {
        write(folder().join("README.md"), lines.join("\n") + "\n").unwrap();
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn no_file_is_forgotten() {
    let readme = read_to_string(folder().join("README.md")).unwrap();
    let used: BTreeSet<String> = commands(&readme)
        .iter()
        .filter(|shown| !["check", "fmt", "test"].contains(&shown.command[0].as_str()))
        .flat_map(|shown| shown.command.iter().flat_map(|argument| written_out(argument)).collect::<Vec<_>>())
        .collect();
    let bases: BTreeSet<String> =
        tariffs().into_iter().filter(|(_, compiled)| compiled.abstract_list).map(|(path, _)| path).collect();
    let forgotten: Vec<String> = files()
        .into_iter()
        // Set-ups are no command's argument here: `gateway/tests/setup/sites.rs` loads them.
        .filter(|file| !file.starts_with("sites/") && !file.starts_with("scenarios/"))
        .filter(|file| file != "README.md" && !bases.contains(file) && !used.contains(file))
        .collect();
    assert!(forgotten.is_empty(), "no command in README.md uses {forgotten:?}");
    for file in files().into_iter().filter(|file| !file.starts_with("scenarios/")) {
        assert!(
            readme.contains(file.rsplit('/').next().unwrap()) || file == "README.md",
            "README.md does not name {file}"
        );
    }
}
