//! Levels that the user names, by flag or from a file.

use std::path::PathBuf;

use clap::Args;
use railbird_book::{LevelKind, UserLevel};
use railbird_timeline::Ts;
use serde::Deserialize;

use crate::failure::Failure;

/// Largest file of levels, bytes.
const LEVELS_BYTES_MAX: u64 = 1 << 20;

/// Levels of the user's own.
#[derive(Debug, Clone, Args)]
pub(crate) struct LevelFlags {
    /// A level of your own, known from the time given, else always; may be repeated
    #[arg(long, value_name = "NAME=PRICE[@TIME]", value_parser = user_level)]
    level: Vec<UserLevel>,
    /// TOML file of levels, a table `level` each: name, price, and perhaps symbol (else every symbol) and from (a time, else always)
    #[arg(long, value_name = "FILE")]
    levels: Option<PathBuf>,
}

/// Levels of all symbols.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserLevels(Vec<(Option<String>, UserLevel)>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    level: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    symbol: Option<String>,
    name: String,
    price: f64,
    from: Option<String>,
}

impl LevelFlags {
    /// Reads the file, where there is one; flags come after it.
    pub(crate) fn read(&self) -> Result<UserLevels, Failure> {
        let mut all = Vec::new();
        if let Some(path) = &self.levels {
            let wrong = |what: String| Failure::usage(format!("{}: {what}", path.display()));
            let bytes = railbird_store::read_bounded(path, LEVELS_BYTES_MAX)?;
            let text = String::from_utf8(bytes).map_err(|_| wrong("not UTF-8".to_owned()))?;
            let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
            for entry in file.level {
                let from = entry.from.as_deref().map(instant).transpose().map_err(&wrong)?;
                all.push((entry.symbol, named(&entry.name, entry.price, from).map_err(&wrong)?));
            }
        }
        all.extend(self.level.iter().map(|level| (None, level.clone())));
        Ok(UserLevels(all))
    }
}

impl UserLevels {
    /// Those of one symbol.
    pub(crate) fn of(&self, symbol: &str) -> Vec<UserLevel> {
        let is_of = |of: &Option<String>| of.as_deref().is_none_or(|of| of == symbol);
        self.0.iter().filter(|(of, _)| is_of(of)).map(|(_, level)| level.clone()).collect()
    }
}

fn user_level(text: &str) -> Result<UserLevel, String> {
    let expected = || format!("{text:?}: expected NAME=PRICE or NAME=PRICE@TIME");
    let (name, rest) = text.split_once('=').ok_or_else(expected)?;
    let (price, from) = rest.split_once('@').map_or((rest, None), |(price, from)| (price, Some(from)));
    let price: f64 = price.parse().map_err(|_| expected())?;
    let from = from.map(instant).transpose()?;
    named(name, price, from).map_err(|what| format!("{}; {what}", expected()))
}

fn named(name: &str, price: f64, from: Option<i64>) -> Result<UserLevel, String> {
    if name.is_empty() || LevelKind::from_name(name).is_some() {
        return Err(format!("{name:?}: the name must not be empty or that of a kind of level"));
    }
    if !price.is_finite() {
        return Err(format!("{name}: expected a price, found {price}"));
    }
    Ok(UserLevel { name: name.to_owned(), price, from })
}

fn instant(text: &str) -> Result<i64, String> {
    text.parse::<Ts>().map(|from| from.0).map_err(|error| format!("{text:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_the_user_have_a_name_a_price_and_perhaps_a_time() {
        let level = user_level("gap=101.25@2025-06-02T14:00:00Z").expect("a level");
        assert_eq!((level.name.as_str(), level.price), ("gap", 101.25));
        assert_eq!(level.from.map(|from| Ts(from).to_string()), Some("2025-06-02T14:00:00Z".to_owned()));
        for wrong in ["gap", "=1", "gap=x", "gap=inf", "prior_high=1", "gap=1@noon"] {
            assert!(user_level(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_of_levels_names_their_symbols_or_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("levels.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("the file is written");
            let flags = LevelFlags { level: vec![user_level("flag=3").expect("a level")], levels: Some(path.clone()) };
            flags.read().map_err(|failure| failure.to_string())
        };
        let both = "[[level]]\nname = \"round\"\nprice = 100.0\n\n\
                    [[level]]\nsymbol = \"SIM\"\nname = \"gap\"\nprice = 101.25\nfrom = \"2025-06-02T14:00:00Z\"\n";
        let levels = read(both).expect("two levels");
        let names = |symbol| levels.of(symbol).into_iter().map(|level| level.name).collect::<Vec<_>>();
        assert_eq!(names("SIM"), ["round", "gap", "flag"]);
        assert_eq!(names("ABC"), ["round", "flag"]);
        for wrong in [
            "[[level]]\nname = \"prior_low\"\nprice = 1.0\n",
            "[[level]]\nname = \"a\"\nprice = nan\n",
            "[[level]]\nname = \"a\"\nprice = 1.0\nfrom = \"noon\"\n",
            "[[level]]\nname = \"a\"\nprice = 1.0\nuntil = \"noon\"\n",
            "level = 1\n",
        ] {
            let error = read(wrong).expect_err(wrong);
            assert!(error.contains("levels.toml: "), "{error}");
        }
    }
}
