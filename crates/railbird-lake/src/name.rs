//! What partitions and tasks are called. Start at [`TaskId`].
//!
//! Invariant: a name that stands in a path was checked when it was made, so that no path leaves its lake.

use std::{fmt, str::FromStr};

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;

/// What is traded, as a part of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(String);

impl Symbol {
    /// Longest symbol, bytes.
    pub const BYTES_MAX: usize = 64;

    /// A symbol of letters, digits, `.`, `_` and `-` in ASCII, not beginning with a dot: nothing that a path or a partition's
    /// name could be read out of in another way.
    ///
    /// # Errors
    /// [`Error::Symbol`].
    pub fn new(text: &str) -> Result<Self, Error> {
        let refused = |reason| Error::Symbol { found: text.chars().take(80).collect(), reason };
        if text.is_empty() {
            return Err(refused("is empty"));
        }
        if text.len() > Self::BYTES_MAX {
            return Err(refused("is too long"));
        }
        if text.starts_with('.') {
            return Err(refused("begins with a dot"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return Err(refused("has a character that cannot stand in a partition's name"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for Symbol {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// One task of a run, and the partition that it writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// Name of the stage.
    pub stage: String,
    /// Symbol.
    pub symbol: Symbol,
    /// Date, as the sources call it.
    pub date: Date,
}

impl TaskId {
    /// Folder of the partition below the lake, with `/` between names.
    pub fn folder(&self) -> String {
        format!("stage={}/symbol={}/date={}", self.stage, self.symbol, self.date)
    }

    /// The task whose partition a folder is; `None` where it is none.
    pub fn of_folder(folder: &str) -> Option<Self> {
        let mut parts = folder.split('/');
        let mut next = |key: &str| parts.next()?.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
        let (stage, symbol, date) = (next("stage")?, next("symbol")?, next("date")?);
        let task = Self {
            stage: plain_name("stage", &stage).ok()?.to_owned(),
            symbol: Symbol::new(&symbol).ok()?,
            date: date.parse().ok()?,
        };
        (parts.next().is_none() && task.folder() == folder).then_some(task)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} {}", self.stage, self.symbol, self.date)
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || de::Error::custom(format!("{text:?}: expected a stage, a symbol and a date"));
        let mut parts = text.split(' ');
        let (Some(stage), Some(symbol), Some(date), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        Ok(Self {
            stage: plain_name("stage", stage).map_err(de::Error::custom)?.to_owned(),
            symbol: Symbol::new(symbol).map_err(de::Error::custom)?,
            date: date.parse().map_err(|_| wrong())?,
        })
    }
}

/// `name` if it can be the name of a stage, a data set or a count.
pub(crate) fn plain_name<'n>(what: &'static str, name: &'n str) -> Result<&'n str, Error> {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if plain && begins && name.len() <= 40 {
        Ok(name)
    } else {
        Err(Error::Name { what, found: name.chars().take(80).collect() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_symbol_never_leads_out_of_its_partition() {
        for text in ["SOUN", "ES.FUT", "BRK.B", "ESM5-ESU5", "BTC_USDT", "6E"] {
            assert_eq!(Symbol::new(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            ".",
            "..",
            "../SOUN",
            "a/b",
            "/etc",
            "a\\b",
            "a\0",
            "a=b",
            "a b",
            "a%2Fb",
            ".hidden",
            "ü",
            &"A".repeat(65),
        ] {
            assert!(matches!(Symbol::new(text), Err(Error::Symbol { .. })), "{text:?}");
        }
    }

    #[test]
    fn a_folder_is_read_back_as_its_task_and_others_are_none() {
        let task = TaskId {
            stage: "bars".into(),
            symbol: Symbol::new("ES.FUT").unwrap(),
            date: "2024-01-02".parse().unwrap(),
        };
        assert_eq!(task.folder(), "stage=bars/symbol=ES.FUT/date=2024-01-02");
        assert_eq!(TaskId::of_folder(&task.folder()), Some(task.clone()));
        assert_eq!(serde_json::from_str::<TaskId>(&serde_json::to_string(&task).unwrap()).unwrap(), task);
        for folder in [
            "",
            "stage=bars/symbol=ES.FUT",
            "stage=bars/symbol=ES.FUT/date=2024-01-02/x",
            "stage=bars/symbol=../date=2024-01-02",
            "stage=bars/symbol=ES/date=20240102",
            "stage=Bars/symbol=ES/date=2024-01-02",
            "symbol=ES/stage=bars/date=2024-01-02",
        ] {
            assert_eq!(TaskId::of_folder(folder), None, "{folder}");
        }
    }

    proptest! {
        #[test]
        fn no_folder_has_more_than_three_components(symbol in "\\PC{0,12}") {
            if let Ok(symbol) = Symbol::new(&symbol) {
                let task = TaskId { stage: "bars".into(), symbol, date: "2024-01-02".parse().unwrap() };
                let folder = task.folder();
                prop_assert_eq!(std::path::Path::new(&folder).components().count(), 3);
                prop_assert_eq!(TaskId::of_folder(&folder), Some(task));
            }
        }
    }
}
