//! Opens a page in the user's browser, where there is a desktop.

use std::process::{Command, Stdio};

use crate::environment;

/// Opens `url`; whether a program for that was started. Never fails: a machine without a desktop has the printed URL.
pub(crate) fn open(url: &str) -> bool {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| environment::variable(name).is_some()) {
        "xdg-open"
    } else {
        return false;
    };
    let started =
        Command::new(opener).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started.is_ok()
}
