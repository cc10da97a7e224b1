//! What holds and why: flags over environment over `railbird.toml` over defaults. Start at [`Settings::resolve`].
//!
//! Every setting is one line of [`SETTINGS`]; nothing else in the program reads the environment for a setting.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::failure::Failure;

/// One setting, as it is described to users.
pub(crate) struct Setting {
    /// Key in `railbird.toml`.
    pub(crate) key: &'static str,
    /// Flag, with its dashes.
    pub(crate) flag: &'static str,
    /// Environment variable; a list is separated by commas.
    pub(crate) variable: &'static str,
    /// Form of the value.
    pub(crate) form: Form,
    /// Value where none is given, written as in the environment.
    pub(crate) default: &'static str,
    /// Meaning and unit.
    pub(crate) meaning: &'static str,
}

/// Form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text; empty where not given.
    Text,
    /// One of two words.
    LogFormat,
    /// One of some words.
    Word(&'static [&'static str]),
    /// Whole number, not negative.
    Number,
    /// `true` or `false`.
    Switch,
    /// Texts.
    List,
}

/// Every setting.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        key: "data_dir",
        flag: "--data-dir",
        variable: "RAILBIRD_DATA_DIR",
        form: Form::Text,
        default: "",
        meaning: "folder of imported sessions; empty is the platform's data folder",
    },
    Setting {
        key: "threads",
        flag: "--threads",
        variable: "RAILBIRD_THREADS",
        form: Form::Number,
        default: "0",
        meaning: "threads that compute; 0 is one a core",
    },
    Setting {
        key: "log",
        flag: "-v",
        variable: "RUST_LOG",
        form: Form::Text,
        default: "warn",
        meaning: "filter of the log on standard error; -v is info, -vv debug, -vvv trace",
    },
    Setting {
        key: "log_format",
        flag: "--log-format",
        variable: "RAILBIRD_LOG_FORMAT",
        form: Form::LogFormat,
        default: "text",
        meaning: "text or json",
    },
    Setting {
        key: "address",
        flag: "--address",
        variable: "RAILBIRD_ADDRESS",
        form: Form::Text,
        default: "127.0.0.1",
        meaning: "address that the server binds; any but a loopback address needs token_file or no_auth",
    },
    Setting {
        key: "port",
        flag: "--port",
        variable: "RAILBIRD_PORT",
        form: Form::Number,
        default: "7878",
        meaning: "port that the server binds; 0 is a free one",
    },
    Setting {
        key: "token_file",
        flag: "--token-file",
        variable: "RAILBIRD_TOKEN_FILE",
        form: Form::Text,
        default: "",
        meaning: "file that holds the token which every client must show; empty is none",
    },
    Setting {
        key: "no_auth",
        flag: "--no-auth",
        variable: "RAILBIRD_NO_AUTH",
        form: Form::Switch,
        default: "false",
        meaning: "serve on an address that is not loopback without a token",
    },
    Setting {
        key: "allowed_hosts",
        flag: "--allow-host",
        variable: "RAILBIRD_ALLOWED_HOSTS",
        form: Form::List,
        default: "",
        meaning: "names that a Host header may bear beside the loopback names and the bound address",
    },
    Setting {
        key: "import_roots",
        flag: "--import-root",
        variable: "RAILBIRD_IMPORT_ROOTS",
        form: Form::List,
        default: "",
        meaning: "folders below which an import over HTTP may read",
    },
    Setting {
        key: "import_hosts",
        flag: "--import-host",
        variable: "RAILBIRD_IMPORT_HOSTS",
        form: Form::List,
        default: "livetiming.formula1.com",
        meaning: "hosts from which an import over HTTP may fetch",
    },
    Setting {
        key: "import_bytes_max",
        flag: "--import-bytes-max",
        variable: "RAILBIRD_IMPORT_BYTES_MAX",
        form: Form::Number,
        default: "536870912",
        meaning: "largest input of one import, bytes",
    },
    Setting {
        key: "sessions_max",
        flag: "--sessions-max",
        variable: "RAILBIRD_SESSIONS_MAX",
        form: Form::Number,
        default: "10000",
        meaning: "most sessions that the data folder may hold",
    },
    Setting {
        key: "allowed_origins",
        flag: "--allow-origin",
        variable: "RAILBIRD_ALLOWED_ORIGINS",
        form: Form::List,
        default: "",
        meaning: "origins beside the page's own that may open WebSockets and change state, such as https://rail.example",
    },
    Setting {
        key: "connections_max",
        flag: "--connections-max",
        variable: "RAILBIRD_CONNECTIONS_MAX",
        form: Form::Number,
        default: "4096",
        meaning: "most connections that the server holds at once",
    },
    Setting {
        key: "session_cache_bytes",
        flag: "--session-cache-bytes",
        variable: "RAILBIRD_SESSION_CACHE_BYTES",
        form: Form::Number,
        default: "536870912",
        meaning: "memory for opened sessions, bytes",
    },
    Setting {
        key: "frame_cache_bytes",
        flag: "--frame-cache-bytes",
        variable: "RAILBIRD_FRAME_CACHE_BYTES",
        form: Form::Number,
        default: "134217728",
        meaning: "memory for encoded frames, bytes",
    },
];

/// Settings of the verbs of `railbird market`, which have a flag of the same name. What a file says is the flag's default there.
pub(crate) const MARKET_SETTINGS: &[Setting] = &[
    market("model", "--model", "RAILBIRD_MODEL", Form::Text, "theta", "forecaster of a walk"),
    market(
        "strategies",
        "--strategies",
        "RAILBIRD_STRATEGIES",
        Form::Text,
        "maxdiff",
        "strategies of a walk; all is the ten",
    ),
    market(
        "sims",
        "--sims",
        "RAILBIRD_SIMS",
        Form::Number,
        "70",
        "simulations of a walk: the newest so many bars are scored",
    ),
    market(
        "horizon",
        "--horizon",
        "RAILBIRD_HORIZON",
        Form::Number,
        "7",
        "bars of one simulation, the scored one included",
    ),
    market(
        "optimizer",
        "--optimizer",
        "RAILBIRD_OPTIMIZER",
        Form::Word(&["exact", "direct", "direct-l", "de"]),
        "exact",
        "who searches for levels: exact, direct, direct-l or de",
    ),
    market(
        "evaluations",
        "--evaluations",
        "RAILBIRD_EVALUATIONS",
        Form::Number,
        "500",
        "points that direct, direct-l and de may compare, each policy",
    ),
    market(
        "no_fallback",
        "--no-fallback",
        "RAILBIRD_NO_FALLBACK",
        Form::Switch,
        "false",
        "fail instead of letting differential evolution take over",
    ),
    market(
        "fills",
        "--fills",
        "RAILBIRD_FILLS",
        Form::Word(&["pessimistic", "optimistic", "random", "finer"]),
        "pessimistic",
        "what is believed of the order of prices within a bar",
    ),
    market(
        "breaks",
        "--breaks",
        "RAILBIRD_BREAKS",
        Form::Word(&["newest", "refuse", "every"]),
        "newest",
        "what is taken of a series that breaks: newest, refuse or every",
    ),
    market(
        "adjust",
        "--adjust",
        "RAILBIRD_ADJUST",
        Form::Word(&["none", "splits", "all"]),
        "none",
        "splits and dividends applied to bars: none, splits or all",
    ),
    market("seed", "--seed", "RAILBIRD_SEED", Form::Number, "0", "seed of all that is random in the market's verbs"),
    market(
        "cache_bytes_max",
        "--cache-bytes-max",
        "RAILBIRD_CACHE_BYTES_MAX",
        Form::Number,
        "4294967296",
        "most bytes of forecasts that are kept on disk",
    ),
];

const fn market(
    key: &'static str,
    flag: &'static str,
    variable: &'static str,
    form: Form,
    default: &'static str,
    meaning: &'static str,
) -> Setting {
    Setting { key, flag, variable, form, default, meaning }
}

/// Every setting, the market's last.
fn all() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().chain(MARKET_SETTINGS)
}

/// What a file says of the market's verbs: flag and value.
pub(crate) fn market_defaults(file: Option<&(PathBuf, bool)>) -> Result<Vec<(&'static str, String)>, Failure> {
    let file = file.map(|(path, required)| read_file(path, *required)).transpose()?.flatten();
    let Some((path, table)) = file else { return Ok(Vec::new()) };
    let mut defaults = Vec::new();
    for setting in MARKET_SETTINGS {
        if let Some(value) = table.get(setting.key) {
            defaults.push((setting.flag, from_toml(setting, value, &path)?.to_string()));
        }
    }
    Ok(defaults)
}

/// A setting's value and where it came from.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Resolved {
    /// Key in `railbird.toml`.
    pub(crate) key: &'static str,
    /// What holds.
    pub(crate) value: Value,
    /// Why: `flag --port`, `environment RAILBIRD_PORT`, `file /etc/railbird.toml`, `default`.
    pub(crate) origin: String,
    /// Meaning and unit.
    pub(crate) meaning: &'static str,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Value {
    /// Text.
    Text(String),
    /// Number.
    Number(u64),
    /// Switch.
    Switch(bool),
    /// Texts.
    List(Vec<String>),
}

impl std::fmt::Display for Value {
    /// As in the environment.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => out.write_str(text),
            Self::Number(number) => write!(out, "{number}"),
            Self::Switch(switch) => write!(out, "{switch}"),
            Self::List(list) => out.write_str(&list.join(",")),
        }
    }
}

/// What holds.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Every setting with its origin, in the order of [`SETTINGS`], then of [`MARKET_SETTINGS`].
    pub(crate) resolved: Vec<Resolved>,
}

/// Where values may come from besides the defaults.
pub(crate) struct Sources<'a> {
    /// Values of flags by key, written as in the environment.
    pub(crate) flags: BTreeMap<&'static str, String>,
    /// Reads a variable of the environment.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// `railbird.toml`: its path, and whether it was asked for by name and so must exist.
    pub(crate) file: Option<(PathBuf, bool)>,
    /// The platform's data folder.
    pub(crate) platform_data_dir: Option<PathBuf>,
}

impl Settings {
    /// Takes each setting from the first source that has it.
    pub(crate) fn resolve(sources: &Sources<'_>) -> Result<Self, Failure> {
        let file = match &sources.file {
            Some((path, required)) => read_file(path, *required)?,
            None => None,
        };
        let mut resolved = Vec::with_capacity(SETTINGS.len() + MARKET_SETTINGS.len());
        for setting in all() {
            let (value, origin) = if let Some(text) = sources.flags.get(setting.key) {
                (parse(setting, text, setting.flag)?, format!("flag {}", setting.flag))
            } else if let Some(text) = (sources.variable)(setting.variable).filter(|text| !text.is_empty()) {
                (parse(setting, &text, setting.variable)?, format!("environment {}", setting.variable))
            } else if let Some((path, value)) =
                file.as_ref().and_then(|(path, table)| Some((path, table.get(setting.key)?)))
            {
                (from_toml(setting, value, path)?, format!("file {}", path.display()))
            } else {
                (parse(setting, setting.default, setting.key)?, "default".to_owned())
            };
            resolved.push(Resolved { key: setting.key, value, origin, meaning: setting.meaning });
        }
        let mut settings = Self { resolved };
        settings.fill_data_dir(sources.platform_data_dir.as_deref())?;
        Ok(settings)
    }

    /// Folder of imported sessions.
    pub(crate) fn data_dir(&self) -> PathBuf {
        PathBuf::from(self.text("data_dir"))
    }

    /// The same, with another data folder.
    pub(crate) fn with_data_dir(&self, folder: &Path) -> Self {
        let mut settings = self.clone();
        if let Some(resolved) = settings.resolved.iter_mut().find(|resolved| resolved.key == "data_dir") {
            resolved.value = Value::Text(folder.display().to_string());
        }
        settings
    }

    /// A text; empty where not given.
    pub(crate) fn text(&self, key: &'static str) -> &str {
        match self.value(key) {
            Value::Text(text) => text,
            other => unreachable!("setting {key} is text, found {other:?}"),
        }
    }

    /// A number.
    pub(crate) fn number(&self, key: &'static str) -> u64 {
        match self.value(key) {
            Value::Number(number) => *number,
            other => unreachable!("setting {key} is a number, found {other:?}"),
        }
    }

    /// A number as a size or count of this machine.
    pub(crate) fn size(&self, key: &'static str) -> usize {
        usize::try_from(self.number(key)).unwrap_or(usize::MAX)
    }

    /// A switch.
    pub(crate) fn switch(&self, key: &'static str) -> bool {
        match self.value(key) {
            Value::Switch(switch) => *switch,
            other => unreachable!("setting {key} is a switch, found {other:?}"),
        }
    }

    /// Texts.
    pub(crate) fn list(&self, key: &'static str) -> &[String] {
        match self.value(key) {
            Value::List(list) => list,
            other => unreachable!("setting {key} is a list, found {other:?}"),
        }
    }

    fn value(&self, key: &'static str) -> &Value {
        let found = self.resolved.iter().find(|resolved| resolved.key == key);
        &found.unwrap_or_else(|| unreachable!("setting {key} is listed")).value
    }

    fn fill_data_dir(&mut self, platform: Option<&Path>) -> Result<(), Failure> {
        if !self.text("data_dir").is_empty() {
            return Ok(());
        }
        let Some(platform) = platform else {
            return Err(Failure::usage(
                "data_dir: this platform names no data folder for this user; give --data-dir DIR",
            ));
        };
        let value = Value::Text(platform.display().to_string());
        if let Some(resolved) = self.resolved.iter_mut().find(|resolved| resolved.key == "data_dir") {
            resolved.value = value;
            resolved.origin = "default, the platform's data folder".to_owned();
        }
        Ok(())
    }
}

fn read_file(path: &Path, required: bool) -> Result<Option<(PathBuf, toml::Table)>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => return Ok(None),
        Err(error) => return Err(Failure::usage(format!("{}: configuration cannot be read: {error}", path.display()))),
    };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Failure::usage(format!("{}: not a TOML file: {}", path.display(), error.to_string().trim_end()))
    })?;
    for key in table.keys() {
        if !all().any(|setting| setting.key == key) {
            return Err(Failure::usage(format!(
                "{}: {key} is not a setting; `railbird config` lists those that are",
                path.display()
            )));
        }
    }
    Ok(Some((path.to_owned(), table)))
}

fn parse(setting: &Setting, text: &str, place: &str) -> Result<Value, Failure> {
    let wrong = |expected: &str| Failure::usage(format!("{place}: {text:?} is not {expected}"));
    Ok(match setting.form {
        Form::Text => Value::Text(text.to_owned()),
        Form::LogFormat if matches!(text, "text" | "json") => Value::Text(text.to_owned()),
        Form::LogFormat => return Err(wrong("text or json")),
        Form::Word(words) if words.contains(&text) => Value::Text(text.to_owned()),
        Form::Word(words) => return Err(wrong(&format!("one of {}", words.join(", ")))),
        Form::Number => Value::Number(text.parse().map_err(|_| wrong("a whole number that is not negative"))?),
        Form::Switch => Value::Switch(match text {
            "true" | "1" | "yes" => true,
            "false" | "0" | "no" => false,
            _ => return Err(wrong("true or false")),
        }),
        Form::List => {
            Value::List(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
        }
    })
}

fn from_toml(setting: &Setting, value: &toml::Value, path: &Path) -> Result<Value, Failure> {
    let place = format!("{}: {}", path.display(), setting.key);
    match (setting.form, value) {
        (Form::Text | Form::LogFormat | Form::Word(_), toml::Value::String(text)) => parse(setting, text, &place),
        (Form::Number, toml::Value::Integer(number)) => parse(setting, &number.to_string(), &place),
        (Form::Switch, toml::Value::Boolean(switch)) => Ok(Value::Switch(*switch)),
        (Form::List, toml::Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map(Value::List)
            .ok_or_else(|| Failure::usage(format!("{place}: a list of texts was expected"))),
        (form, other) => Err(Failure::usage(format!(
            "{place}: {} was expected, found a TOML {}",
            match form {
                Form::Text | Form::LogFormat | Form::Word(_) => "a text",
                Form::Number => "a whole number",
                Form::Switch => "true or false",
                Form::List => "a list of texts",
            },
            other.type_str()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        flags: &[(&'static str, &str)],
        environment: &[(&str, &str)],
        file: &str,
        key: &'static str,
        want: Result<(Value, &str), &str>,
    ) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("railbird.toml");
        fs::write(&path, file).expect("the file is written");
        let environment: BTreeMap<_, _> = environment.iter().copied().collect();
        let found = Settings::resolve(&Sources {
            flags: flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
            variable: &|name| environment.get(name).map(|value| (*value).to_owned()),
            file: Some((path.clone(), true)),
            platform_data_dir: Some(PathBuf::from("/platform")),
        });
        match (found, want) {
            (Ok(settings), Ok((value, origin))) => {
                let resolved = settings.resolved.iter().find(|resolved| resolved.key == key).expect("a setting");
                assert_eq!(
                    (&resolved.value, resolved.origin.as_str()),
                    (&value, origin.replace("FILE", &path.display().to_string()).as_str())
                );
            }
            (Err(failure), Err(part)) => assert!(failure.to_string().contains(part), "{failure} does not say {part:?}"),
            (found, want) => panic!("found {:?}, want {want:?}", found.map(|settings| settings.resolved)),
        }
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let (flag, variable, file) = ([("port", "1")], [("RAILBIRD_PORT", "2")], "port = 3");
        check(&flag, &variable, file, "port", Ok((Value::Number(1), "flag --port")));
        check(&[], &variable, file, "port", Ok((Value::Number(2), "environment RAILBIRD_PORT")));
        check(&[], &[], file, "port", Ok((Value::Number(3), "file FILE")));
        check(&[], &[], "", "port", Ok((Value::Number(7878), "default")));
        check(&[], &[], "", "data_dir", Ok((Value::Text("/platform".into()), "default, the platform's data folder")));
    }

    #[test]
    fn settings_of_the_market_have_the_same_four_origins() {
        let (flag, variable, file) =
            ([("optimizer", "de")], [("RAILBIRD_OPTIMIZER", "direct")], "optimizer = \"direct-l\"");
        let text = |text: &str| Value::Text(text.to_owned());
        check(&flag, &variable, file, "optimizer", Ok((text("de"), "flag --optimizer")));
        check(&[], &variable, file, "optimizer", Ok((text("direct"), "environment RAILBIRD_OPTIMIZER")));
        check(&[], &[], file, "optimizer", Ok((text("direct-l"), "file FILE")));
        check(&[], &[], "", "optimizer", Ok((text("exact"), "default")));
        let wrong = "optimizer: \"best\" is not one of exact, direct, direct-l, de";
        check(&[], &[], "optimizer = \"best\"", "optimizer", Err(wrong));
        check(&[], &[], "sims = \"35\"", "sims", Err("sims: a whole number was expected, found a TOML string"));
    }

    #[test]
    fn lists_come_with_commas_or_as_toml() {
        let want = Value::List(vec!["/a".into(), "/b".into()]);
        check(
            &[],
            &[("RAILBIRD_IMPORT_ROOTS", "/a, /b")],
            "",
            "import_roots",
            Ok((want.clone(), "environment RAILBIRD_IMPORT_ROOTS")),
        );
        check(&[], &[], "import_roots = [\"/a\", \"/b\"]", "import_roots", Ok((want, "file FILE")));
    }

    #[test]
    fn wrong_values_name_their_place() {
        check(&[], &[("RAILBIRD_PORT", "many")], "", "port", Err("RAILBIRD_PORT: \"many\" is not a whole number"));
        check(&[], &[], "port = \"3\"", "port", Err("port: a whole number was expected, found a TOML string"));
        check(&[], &[], "prot = 3", "port", Err("prot is not a setting"));
        check(&[], &[], "port = ", "port", Err("not a TOML file"));
        check(&[("log_format", "xml")], &[], "", "log_format", Err("--log-format: \"xml\" is not text or json"));
    }
}
