//! Lap times deleted by the stewards, from the words of race control. Start at [`Deletion::parse`].

/// What a message says of one lap time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deletion<'a> {
    /// The lap time, where the message names it, ms.
    pub(crate) time_ms: Option<u32>,
    /// The lap, where the message names it.
    pub(crate) lap: Option<u16>,
    /// Why; empty where not told.
    pub(crate) reason: &'a str,
    /// Whether the time counts again.
    pub(crate) reinstated: bool,
}

impl<'a> Deletion<'a> {
    /// Reads `CAR 4 (NOR) TIME 1:23.456 DELETED - TRACK LIMITS AT TURN 5 LAP 12 15:10:04`, `CAR 4 (NOR) LAP DELETED - …` and
    /// `CAR 4 (NOR) TIME 1:23.456 … REINSTATED`; `None` for any other message.
    pub(crate) fn parse(message: &'a str) -> Option<Self> {
        if !message.starts_with("CAR ") {
            return None;
        }
        let reinstated = message.contains("REINSTATED");
        let deleted = message.find(" DELETED");
        if !reinstated && deleted.is_none() {
            return None;
        }
        let head = &message[..deleted.unwrap_or(message.len())];
        let time_ms = word_after(head, "TIME ").and_then(lap_time_ms);
        let lap = message
            .match_indices("LAP ")
            .find_map(|(at, word)| message[at + word.len()..].split(' ').next()?.parse().ok());
        if time_ms.is_none() && lap.is_none() {
            return None;
        }
        let told = deleted.and_then(|at| message[at..].split_once(" - ")).map_or("", |(_, reason)| reason);
        Some(Self { time_ms, lap, reason: without_clock(told), reinstated })
    }
}

fn word_after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark)?.1.split(' ').next()
}

/// `1:23.456`, `16:05.442`, `59.123`.
fn lap_time_ms(text: &str) -> Option<u32> {
    let (whole, millis) = text.split_once('.')?;
    let (minutes, seconds) = whole.split_once(':').unwrap_or(("0", whole));
    let digits =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u32>().ok()).flatten();
    if millis.len() != 3 || seconds.len() > 2 || minutes.len() > 2 {
        return None;
    }
    Some(digits(minutes)? * 60_000 + digits(seconds)? * 1_000 + digits(millis)?)
}

/// The reason without the local time at its end, which is on no clock of the session.
fn without_clock(reason: &str) -> &str {
    let is_clock = |word: &str| {
        word.len() == 8
            && word.bytes().enumerate().all(|(at, byte)| if at % 3 == 2 { byte == b':' } else { byte.is_ascii_digit() })
    };
    reason
        .split(' ')
        .find(|word| is_clock(word))
        .and_then(|clock| reason.find(clock))
        .map_or(reason, |at| &reason[..at])
        .trim()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(message: &str, want: Expect) {
        let text = Deletion::parse(message).map_or("none".to_owned(), |deletion| {
            let Deletion { time_ms, lap, reason, reinstated } = deletion;
            format!("{time_ms:?} {lap:?} {reason:?}{}", if reinstated { " reinstated" } else { "" })
        });
        want.assert_eq(&text);
    }

    #[test]
    fn reads_what_race_control_prints() {
        check(
            "CAR 4 (NOR) TIME 1:23.456 DELETED - TRACK LIMITS AT TURN 5 LAP 12 15:10:04",
            expect![[r#"Some(83456) Some(12) "TRACK LIMITS AT TURN 5 LAP 12""#]],
        );
        check(
            "CAR 1 (VER) LAP DELETED - TRACK LIMITS AT TURN 14 LAP 11 15:24:40 (PIT)",
            expect![[r#"None Some(11) "TRACK LIMITS AT TURN 14 LAP 11""#]],
        );
        check(
            "CAR 55 (SAI) TIME 16:05.442 DELETED - TRACK LIMITS AT TURN 11 LAP 8 16:50:42",
            expect![[r#"Some(965442) Some(8) "TRACK LIMITS AT TURN 11 LAP 8""#]],
        );
        check(
            "CAR 4 (NOR) TIME 1:23.456 DELETED LAP 12 REINSTATED",
            expect![[r#"Some(83456) Some(12) "" reinstated"#]],
        );
    }

    #[test]
    fn leaves_other_messages_alone() {
        check("CAR 4 (NOR) 5 SECOND TIME PENALTY", expect!["none"]);
        check("TRACK LIMITS: CAR 4 LAP 3 DELETED", expect!["none"]);
        check("CAR 4 (NOR) TIME é:é.éé DELETED", expect!["none"]);
        check("", expect!["none"]);
    }
}
