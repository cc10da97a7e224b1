//! What a client says to its clock.

use serde::Deserialize;

use super::clock::{SPEED_MAX, SPEED_MIN};

/// A control message.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Control {
    /// Run.
    Play {},
    /// Stand still.
    Pause {},
    /// Jump.
    Seek {
        /// Moment of the contest, seconds.
        t: f64,
    },
    /// Run at another speed.
    Speed {
        /// Seconds of the contest a second.
        value: f64,
    },
}

impl Control {
    /// Reads a control message; the error says what was wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let control = serde_json::from_str(text).map_err(|error| {
            format!("control: {error}; expected an op of play, pause, seek with t, speed with value")
        })?;
        match control {
            Self::Speed { value } if !(SPEED_MIN..=SPEED_MAX).contains(&value) => {
                Err(format!("control: speed {value} is not within {SPEED_MIN} to {SPEED_MAX}"))
            }
            good => Ok(good),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_read_strictly() {
        assert_eq!(Control::parse(r#"{"op":"play"}"#), Ok(Control::Play {}));
        assert_eq!(Control::parse(r#"{"op":"pause"}"#), Ok(Control::Pause {}));
        assert_eq!(Control::parse(r#"{"t":-1.5,"op":"seek"}"#), Ok(Control::Seek { t: -1.5 }));
        assert_eq!(Control::parse(r#"{"op":"speed","value":100}"#), Ok(Control::Speed { value: 100.0 }));
        for bad in [
            "",
            "play",
            "{}",
            r#"{"op":"stop"}"#,
            r#"{"op":"seek"}"#,
            r#"{"op":"seek","t":"1"}"#,
            r#"{"op":"seek","t":1e999}"#,
            r#"{"op":"speed","value":0.09}"#,
            r#"{"op":"speed","value":101}"#,
            r#"{"op":"speed","value":null}"#,
            r#"{"op":"play","x":1}"#,
            r#"{"op":"seek","t":1,"x":1}"#,
            "[1",
            "\u{0}",
        ] {
            assert!(Control::parse(bad).is_err(), "{bad}");
        }
    }
}
