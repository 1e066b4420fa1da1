//! The colours of editors know the words of the language, all of them and no others, and read every draft.
//!
//! `npm` is needed for the reader of TextMate grammars: what `dsl/editors/vscode` names goes to a folder under `target/`. For the one of
//! tree-sitter grammars Node.js, a C compiler and `python3` with `venv`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use takst_dsl::editor::keywords;

fn editors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("editors")
}

fn read(path: &str) -> String {
    fs::read_to_string(editors().join(path)).unwrap()
}

fn compare(known: &BTreeSet<String>) {
    let words: BTreeSet<String> = keywords().iter().map(|word| (*word).to_owned()).collect();
    let missing: Vec<_> = words.difference(known).collect();
    let unknown: Vec<_> = known.difference(&words).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:?}; unknown: {unknown:?}");
}

#[test]
fn the_textmate_grammar_has_the_words_of_the_language() {
    let grammar: serde_json::Value =
        serde_json::from_str(&read("vscode/syntaxes/tariff.tmLanguage.json")).unwrap();
    let mut known = BTreeSet::new();
    for part in ["keyword", "unit", "money", "calendar", "setting"] {
        let pattern = grammar["repository"][part]["match"].as_str().unwrap();
        // The one bracket that lists words: others only say what may stand around them.
        let list = pattern.split('(').map(|list| list.split(')').next().unwrap());
        let list = list.filter(|list| list.contains('|') && !list.starts_with('?')).max_by_key(|it| it.len());
        for words in list.unwrap_or_else(|| panic!("{part}: {pattern}")).split('|') {
            known.extend(words.split("[ \\t]+").map(str::to_owned));
        }
    }
    compare(&known);
}

#[test]
fn the_vim_syntax_has_the_words_of_the_language() {
    let mut known = BTreeSet::new();
    for line in read("vim/syntax/tariff.vim").lines() {
        if let Some(words) = line.strip_prefix("syntax keyword ") {
            known.extend(words.split(' ').skip(1).map(str::to_owned));
        } else if line.starts_with("syntax match tariffCalendar")
            || line.starts_with("syntax match tariffSetting")
        {
            let list = line.split("%(").nth(1).unwrap().split(')').next().unwrap();
            known.extend(list.split('|').flat_map(|words| words.split("\\s+")).map(str::to_owned));
        }
    }
    compare(&known);
}

#[test]
fn the_tree_sitter_colours_have_the_words_of_the_language() {
    let text = read("tree-sitter/queries/highlights.scm");
    let mut known = BTreeSet::new();
    for list in text.split("(#any-of? ").skip(1) {
        let list = list.split(')').next().unwrap();
        known.extend(list.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    // Days, and the settings: in brackets, apart by a bar.
    for (start, plus) in [("#match? @constant.builtin \"^(", ""), ("#match? @_key \"^(", " +")] {
        let list = text.split(start).nth(1).unwrap().split(')').next().unwrap();
        let words = list
            .split('|')
            .flat_map(|words| if plus.is_empty() { vec![words] } else { words.split(plus).collect() });
        known.extend(words.map(str::to_owned));
    }
    compare(&known);
}

#[test]
fn the_tree_sitter_grammar_reads_every_list() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tree-sitter");
    let python = home.join("venv/bin/python");
    let from = editors().join("tree-sitter");
    let run = |command: &mut Command| {
        let output = command.output();
        let fine = output.as_ref().is_ok_and(|output| output.status.success());
        let hint = "this test needs `cc`, Node.js, and `python3` with `venv` (Debian: nodejs, python3-venv) and PyPI";
        assert!(fine, "{hint}: {command:?}: {output:?}");
    };
    if !python.exists() {
        fs::create_dir_all(&home).unwrap();
        run(Command::new("python3").args(["-m", "venv"]).arg(home.join("venv")));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "tree-sitter==0.25.2"]));
    }
    let library = home.join("tariff.so");
    run(Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--manifest-path"])
        .arg(from.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(home.join("make"))
        .arg("--")
        .arg(&library));
    let mut lists = Vec::new();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for folder in ["dsl/tests", "examples", "gateway/tests", "tests"] {
        lists_in(&repository.join(folder), &mut lists);
    }
    assert!(lists.len() > 80, "{}", lists.len());
    let query = from.join("queries/highlights.scm");
    run(Command::new(&python).arg(from.join("test/parse.py")).arg(&library).arg(query).args(&lists));
}

// All lists in a folder, wrong ones too.
fn lists_in(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("target") {
            lists_in(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "tariff") {
            out.push(path);
        }
    }
}

#[test]
fn the_textmate_grammar_reads_every_draft() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("textmate");
    let from = editors().join("vscode");
    for folder in ["", "syntaxes", "test"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    for file in ["package.json", "package-lock.json", "syntaxes/tariff.tmLanguage.json", "test/grammar.mjs"] {
        fs::copy(from.join(file), home.join(file)).unwrap();
    }
    let run = |program: &str, arguments: &[&str], files: &[PathBuf]| {
        let output = Command::new(program).args(arguments).args(files).current_dir(&home).output();
        let fine = output.as_ref().is_ok_and(|output| output.status.success());
        assert!(fine, "this test needs `node`, `npm` and its registry: {program} {arguments:?}: {output:?}");
    };
    if !home.join("node_modules/vscode-textmate").exists() {
        run("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], &[]);
    }
    let drafts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drafts");
    let mut files: Vec<PathBuf> = fs::read_dir(drafts).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| !path.to_str().unwrap().contains(".bad."));
    assert!(files.len() >= 6);
    run("node", &["test/grammar.mjs"], &files);
}
