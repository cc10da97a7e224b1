//! What the stewards have ruled on each driver, from the words of race control. Start at [`RulingFold`].
//!
//! Invariant: no row is ever changed. What is served, taken back or told again is a further row of the same number, so
//! that the last row of each number until a moment says what held then.

use super::laps::Deletion;
use crate::event::{DriverId, SessionTime};
use crate::log::{Logs, RulingKind, RulingRow, RulingState};

/// Most rulings on one driver that are followed.
const RULINGS_MAX: usize = 500;
/// Words by which race control takes a penalty back.
const TAKEN_BACK: [&str; 6] = ["RESCINDED", "CANCELLED", "WITHDRAWN", "REVOKED", "OVERTURNED", "REMOVED"];

/// The fold of every driver's rulings.
#[derive(Debug, Default)]
pub(super) struct RulingFold {
    /// The last row of each ruling, by driver.
    drivers: Vec<Vec<RulingRow>>,
}

impl RulingFold {
    /// Takes in a message on `driver`; `lap` is the one whose time it deletes or gives back, where it does.
    pub(super) fn race_control(
        &mut self,
        at: SessionTime,
        message: &str,
        driver: DriverId,
        lap: Option<u16>,
        logs: &mut Logs,
    ) {
        let row = |kind, state| RulingRow {
            known_at: at,
            driver,
            number: 0,
            kind,
            state,
            seconds: None,
            lap: None,
            words: String::new(),
            reason: String::new(),
        };
        if let Some(deletion) = Deletion::parse(message) {
            let state = if deletion.reinstated { RulingState::TakenBack } else { RulingState::Given };
            self.publish(
                RulingRow {
                    lap: lap.or(deletion.lap),
                    words: deletion.time_ms.map_or_else(String::new, lap_time),
                    reason: deletion.reason.to_owned(),
                    ..row(RulingKind::DeletedLap, state)
                },
                logs,
            );
        } else if let Some(penalty) = Penalty::parse(message) {
            self.publish(
                RulingRow {
                    seconds: penalty.seconds,
                    words: penalty.words.to_owned(),
                    reason: penalty.reason.to_owned(),
                    ..row(RulingKind::Penalty, penalty.state)
                },
                logs,
            );
        }
    }

    fn publish(&mut self, row: RulingRow, logs: &mut Logs) {
        if self.drivers.len() <= row.driver.index() {
            self.drivers.resize_with(row.driver.index() + 1, Vec::new);
        }
        let known = &mut self.drivers[row.driver.index()];
        let row = match concerned(known, &row) {
            Some(before) => RulingRow {
                number: before.number,
                // Who takes a ruling back or says that it is served need not repeat what it was.
                seconds: row.seconds.or(before.seconds),
                lap: row.lap.or(before.lap),
                words: if row.words.is_empty() { before.words.clone() } else { row.words },
                reason: if row.reason.is_empty() { before.reason.clone() } else { row.reason },
                ..row
            },
            None if known.len() >= RULINGS_MAX => return,
            None => RulingRow { number: known.len() as u16 + 1, ..row },
        };
        let index = usize::from(row.number) - 1;
        match known.get_mut(index) {
            Some(before) if (RulingRow { known_at: before.known_at, ..row.clone() }) == *before => return,
            Some(before) => before.clone_from(&row),
            None => known.push(row.clone()),
        }
        logs.rulings.push(row);
    }
}

/// The ruling that a row goes on about; `None` where it is one of its own.
fn concerned<'a>(known: &'a [RulingRow], row: &RulingRow) -> Option<&'a RulingRow> {
    let mut known = known.iter().rev().filter(|before| before.kind == row.kind);
    match row.kind {
        RulingKind::DeletedLap if row.lap.is_some() => known.find(|before| before.lap == row.lap),
        RulingKind::DeletedLap => known.find(|before| before.words == row.words),
        // A second penalty in the same words is a second penalty.
        RulingKind::Penalty if row.state == RulingState::Given => None,
        RulingKind::Penalty => {
            let same = |before: &&RulingRow| before.words == row.words && before.reason == row.reason;
            let open = |before: &&RulingRow| before.state == RulingState::Given;
            known
                .clone()
                .find(|before| open(before) && same(before))
                .or_else(|| known.clone().find(|before| open(before) && before.words == row.words))
                .or_else(|| known.find(|before| before.state == row.state && same(before)))
        }
    }
}

/// What a message says of a penalty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Penalty<'a> {
    state: RulingState,
    /// As printed: `5 SECOND TIME PENALTY`, `DRIVE THROUGH PENALTY`.
    words: &'a str,
    /// Time, where it is one of time.
    seconds: Option<u16>,
    /// Why; empty where not told.
    reason: &'a str,
}

impl<'a> Penalty<'a> {
    /// Reads `FIA STEWARDS: 5 SECOND TIME PENALTY FOR CAR 5 (BOR) - UNSAFE RELEASE`, the same after `PENALTY SERVED - `, and
    /// `CAR 5 (BOR) 5 SECOND TIME PENALTY`; `None` for any other message.
    fn parse(message: &'a str) -> Option<Self> {
        let text = message.trim();
        let text = text.strip_prefix("FIA STEWARDS: ").unwrap_or(text);
        let told = text.starts_with("PENALTY ").then(|| text.split_once(" - ")).flatten();
        let (head, text) = told.unwrap_or(("", text));
        let taken_back = TAKEN_BACK.iter().any(|word| head.contains(word) || text.contains(word));
        let state = match head {
            _ if taken_back => RulingState::TakenBack,
            "" => RulingState::Given,
            "PENALTY SERVED" => RulingState::Served,
            _ => return None,
        };
        const PENALTY: &str = "PENALTY";
        let end = text.find(PENALTY)? + PENALTY.len();
        let (words, rest) = text.split_at(end);
        let words = words.rsplit_once(") ").map_or(words, |(_, words)| words);
        let mut parts = words.split(' ');
        let number: Option<u16> = parts.next().and_then(|first| first.parse().ok());
        let named = words.starts_with("DRIVE") || words.starts_with("STOP") || words.starts_with("GRID");
        if rest.starts_with(" POINT") || number.is_none() && !named {
            return None;
        }
        let seconds = number.filter(|_| parts.next().is_some_and(|unit| unit.starts_with("SECOND")));
        let reason = rest.split_once(" - ").map_or("", |(_, reason)| reason.trim());
        Some(Self { state, words, seconds, reason })
    }
}

/// `1:23.456`.
fn lap_time(ms: u32) -> String {
    format!("{}:{:02}.{:03}", ms / 60_000, ms / 1_000 % 60, ms % 1_000)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Messages on one driver, a second apart: a line a row that is published.
    #[track_caller]
    fn check(messages: &[&str], want: Expect) {
        let (mut fold, mut logs) = (RulingFold::default(), Logs::default());
        for (index, message) in messages.iter().enumerate() {
            let lap = Deletion::parse(message).and_then(|deletion| deletion.lap);
            fold.race_control(SessionTime::from_ms(index as i64 * 1000), message, DriverId(3), lap, &mut logs);
        }
        let text: String = logs
            .rulings
            .iter()
            .map(|row| {
                let RulingRow { number, kind, state, seconds, lap, words, reason, .. } = row;
                let (at, kind, state) = (row.known_at.seconds(), kind.name(), state.name());
                format!("{at} #{number} {kind} {state} {seconds:?} {lap:?} {words:?} {reason:?}\n")
            })
            .collect();
        want.assert_eq(&text);
    }

    #[test]
    fn a_penalty_is_given_and_served() {
        check(
            &[
                "FIA STEWARDS: 10 SECOND TIME PENALTY FOR CAR 31 (OCO) - CAUSING A COLLISION",
                "FIA STEWARDS: 5 SECOND TIME PENALTY FOR CAR 31 (OCO) - UNSAFE RELEASE",
                "FIA STEWARDS: PENALTY SERVED - 10 SECOND TIME PENALTY FOR CAR 31 (OCO) - CAUSING A COLLISION",
                "FIA STEWARDS: PENALTY SERVED - 10 SECOND TIME PENALTY FOR CAR 31 (OCO) - CAUSING A COLLISION",
            ],
            expect![[r#"
                0 #1 penalty given Some(10) None "10 SECOND TIME PENALTY" "CAUSING A COLLISION"
                1 #2 penalty given Some(5) None "5 SECOND TIME PENALTY" "UNSAFE RELEASE"
                2 #1 penalty served Some(10) None "10 SECOND TIME PENALTY" "CAUSING A COLLISION"
            "#]],
        );
    }

    #[test]
    fn two_penalties_in_the_same_words_are_two_and_one_can_be_taken_back() {
        check(
            &[
                "CAR 4 (NOR) 5 SECOND TIME PENALTY - TRACK LIMITS",
                "CAR 4 (NOR) 5 SECOND TIME PENALTY - TRACK LIMITS",
                "FIA STEWARDS: PENALTY RESCINDED - 5 SECOND TIME PENALTY FOR CAR 4 (NOR)",
                "DRIVE THROUGH PENALTY FOR CAR 4 (NOR) - SPEEDING IN THE PIT LANE",
            ],
            expect![[r#"
                0 #1 penalty given Some(5) None "5 SECOND TIME PENALTY" "TRACK LIMITS"
                1 #2 penalty given Some(5) None "5 SECOND TIME PENALTY" "TRACK LIMITS"
                2 #2 penalty taken_back Some(5) None "5 SECOND TIME PENALTY" "TRACK LIMITS"
                3 #3 penalty given None None "DRIVE THROUGH PENALTY" "SPEEDING IN THE PIT LANE"
            "#]],
        );
    }

    #[test]
    fn a_deleted_lap_is_one_however_often_it_is_told_and_can_be_given_back() {
        check(
            &[
                "CAR 1 (VER) TIME 1:39.479 DELETED - TRACK LIMITS AT TURN 2 LAP 43 16:26:43",
                "CAR 1 (VER) TIME 1:39.479 DELETED - TRACK LIMITS AT TURN 2 LAP 43 16:26:43",
                "CAR 1 (VER) TIME 1:39.479 DELETED - TRACK LIMITS AT TURN 1 LAP 43 16:26:42",
                "CAR 1 (VER) LAP DELETED - TRACK LIMITS AT TURN 14 LAP 45 16:30:40 (PIT)",
                "CAR 1 (VER) TIME 1:39.479 LAP 43 REINSTATED",
            ],
            expect![[r#"
                0 #1 deleted_lap given None Some(43) "1:39.479" "TRACK LIMITS AT TURN 2 LAP 43"
                2 #1 deleted_lap given None Some(43) "1:39.479" "TRACK LIMITS AT TURN 1 LAP 43"
                3 #2 deleted_lap given None Some(45) "" "TRACK LIMITS AT TURN 14 LAP 45"
                4 #1 deleted_lap taken_back None Some(43) "1:39.479" "TRACK LIMITS AT TURN 1 LAP 43"
            "#]],
        );
    }

    #[test]
    fn other_messages_are_no_rulings() {
        check(
            &[
                "INCIDENT INVOLVING CAR 14 (ALO) NOTED - SAFETY CAR INFRINGEMENT",
                "FIA STEWARDS: INCIDENT INVOLVING CAR 14 (ALO) NO FURTHER ACTION - SAFETY CAR INFRINGEMENT",
                "2 PENALTY POINTS FOR CAR 14 (ALO)",
                "THE PENALTY FOR CAR 14 (ALO) IS UNDER REVIEW",
                "PENALTY NOT SERVED - 5 SECOND TIME PENALTY FOR CAR 14 (ALO)",
                "PENALTY",
                "é PENALTY - é",
                "",
            ],
            expect![""],
        );
    }
}
