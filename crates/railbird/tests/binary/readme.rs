//! Commands that the documents name exist, with the flags that they name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::common::Home;

#[test]
fn documents_name_only_commands_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root");
    let mut documents: Vec<PathBuf> = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    let entries = fs::read_dir(root.join("docs")).expect("the folder of documents");
    documents.extend(entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()));
    let home = Home::new();
    let mut wrong = Vec::new();
    for document in documents {
        // A document that is not written yet names nothing.
        let Ok(text) = fs::read_to_string(&document) else { continue };
        for command in commands(&text) {
            if let Err(why) = check(&home, &command) {
                wrong.push(format!("{}: {command}: {why}", document.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn an_unknown_verb_or_flag_is_found() {
    let home = Home::new();
    assert_eq!(check(&home, "railbird f1 laps latest --format csv"), Ok(()));
    assert_eq!(check(&home, "railbird book bars FILE --out bars/"), Ok(()));
    assert!(check(&home, "railbird f1 lapps latest").is_err());
    assert!(check(&home, "railbird f1 laps latest --fromat csv").is_err());
    let text = "```sh\nrailbird f1 sessions  # list\ncargo run --release -- demo\nls\n```\nrailbird in prose\n";
    assert_eq!(commands(text), ["railbird f1 sessions", "railbird demo"]);
}

/// Commands in the code blocks of a document, comments left out.
fn commands(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            continue;
        }
        let line = line.trim().trim_start_matches("$ ").replace("cargo run --release -- ", "railbird ");
        let line = line.split(" #").next().unwrap_or_default().trim();
        if inside && line.starts_with("railbird ") {
            found.push(line.to_owned());
        }
    }
    found
}

/// Asks the command for its help: its verbs must lead somewhere, and its flags must stand there.
fn check(home: &Home, command: &str) -> Result<(), String> {
    let words: Vec<&str> =
        command.split_whitespace().skip(1).take_while(|word| !matches!(*word, "|" | ">" | "&&")).collect();
    let is_verb = |word: &&&str| {
        word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !word.starts_with('-')
    };
    let is_field = words.first().is_some_and(|word| ["f1", "book", "market", "cache", "optimize"].contains(word));
    let verbs: Vec<&str> = words.iter().take(if is_field { 2 } else { 1 }).filter(is_verb).copied().collect();
    let mut arguments = verbs.clone();
    arguments.push("--help");
    let help = home.run(&arguments);
    if help.code != 0 || verbs.is_empty() {
        return Err(format!("no such verb: {}", help.err));
    }
    let flags = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
    let unknown = flags.map(|flag| flag.split('=').next().unwrap_or(flag)).find(|flag| !help.out.contains(*flag));
    unknown.map_or(Ok(()), |flag| Err(format!("no flag {flag}")))
}
