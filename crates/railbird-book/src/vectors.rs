//! One vector an episode: its features at the trigger. Start at [`vectors`].
//!
//! A component is the feature of that name, as it is; a missing one is missing, and nothing is padded. Scaling belongs to
//! whoever compares vectors, since it must read none that was not known yet: see the index.

use arrow::array::{Array, RecordBatch};

use crate::StageError;
use crate::episode::{Episode, Outcome};
use crate::features::Features;
use crate::level::LevelKind;
use crate::table::{Rows, TableBuilder};

/// Components of a vector.
pub const DIMENSIONS: usize = 48;

/// Features that a vector is made of, in order.
pub const VECTOR_FEATURES: [&str; DIMENSIONS] = [
    "dist",
    "from_side",
    "polarity",
    "dist_d1_w3",
    "dist_d1_w12",
    "dist_d1_w36",
    "dist_d1_w72",
    "dist_d2_w3",
    "dist_d2_w12",
    "dist_d2_w36",
    "imb_1_d1_w12",
    "imb_10_d1_w12",
    "imb_10_d1_w36",
    "band_imb_p1_d1_w12",
    "depth_bid_d1_w12",
    "depth_ask_d1_w12",
    "toward_imb_1",
    "toward_imb_10",
    "toward_ofi_1",
    "toward_ofi_10",
    "toward_signed",
    "rate_trade_vol",
    "rate_trade_signed",
    "rate_msg_all",
    "rate_flow_bid",
    "rate_flow_ask",
    "rate_flow_imb",
    "lvl_size_imb",
    "lvl_size_imb_p1",
    "setup_start_dist",
    "setup_max_dist",
    "setup_dist_range",
    "setup_approach_share",
    "setup_velocity_early",
    "setup_velocity_mid",
    "setup_velocity_late",
    "setup_velocity_trend",
    "setup_imb_1_range",
    "setup_imb_10_range",
    "setup_imb_10_delta",
    "setup_trade_imb",
    "setup_wall_max_bid",
    "setup_wall_max_ask",
    "setup_wall_imb",
    "setup_flow_toward",
    "setup_flow_away",
    "rvol_bucket",
    "rvol_session",
];

/// An episode as it looked at its trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct SetupVector {
    /// The episode.
    pub episode: String,
    /// Its symbol.
    pub symbol: String,
    /// Kind of its level.
    pub kind: LevelKind,
    /// Start of the trigger bar, ns since 1970.
    pub trigger_start: i64,
    /// When the trigger bar was known, ns since 1970.
    pub known_at: i64,
    /// By [`VECTOR_FEATURES`]; NaN where missing.
    pub values: [f64; DIMENSIONS],
}

/// Vectors of the episodes of `features`, in order.
///
/// # Errors
/// None today; a feature that the list no longer holds would be [`StageError::NoColumn`].
pub fn vectors(features: &Features) -> Result<Vec<SetupVector>, StageError> {
    let columns = VECTOR_FEATURES.iter().map(|name| features.column(name)).collect::<Result<Vec<_>, _>>()?;
    let vector = |(episode, row): (&Episode, usize)| SetupVector::of(episode, |dimension| columns[dimension][row]);
    Ok(features.triggers().map(vector).collect())
}

/// The same from the table of the features, for `episodes`, whose table stands beside it.
///
/// # Errors
/// [`StageError::Outcome`] where the table holds what came of the episodes; else as [`Episode::read`].
pub fn vectors_of_table(features: &RecordBatch, episodes: &[Episode]) -> Result<Vec<SetupVector>, StageError> {
    refuse_outcomes(features)?;
    let rows = Rows::of(features, "episodes");
    let (ids, to_trigger) = (rows.texts("episode")?, rows.counts("bars_to_trigger")?);
    let columns = VECTOR_FEATURES.iter().map(|name| rows.reals(name)).collect::<Result<Vec<_>, _>>()?;
    let mut triggers = (0..ids.len()).filter(|row| to_trigger[*row] == 0).peekable();
    let mut found = Vec::with_capacity(episodes.len());
    for episode in episodes {
        if let Some(row) = triggers.next_if(|row| ids.value(*row) == episode.id) {
            found.push(SetupVector::of(episode, |dimension| columns[dimension][row]));
        }
    }
    Ok(found)
}

/// Refuses a table that is known at the trigger and yet holds an outcome.
pub(crate) fn refuse_outcomes(batch: &RecordBatch) -> Result<(), StageError> {
    match Outcome::COLUMNS.into_iter().find(|column| batch.column_by_name(column).is_some()) {
        Some(column) => Err(StageError::Outcome { column: column.to_owned() }),
        None => Ok(()),
    }
}

impl SetupVector {
    fn of(episode: &Episode, value: impl Fn(usize) -> f64) -> Self {
        Self {
            episode: episode.id.clone(),
            symbol: episode.symbol.clone(),
            kind: episode.kind,
            trigger_start: episode.trigger_start,
            known_at: episode.known_at,
            values: std::array::from_fn(value),
        }
    }

    /// Vectors as a table: `episode`, `symbol`, `kind`, `trigger_start`, `known_at`, then [`VECTOR_FEATURES`].
    pub fn table(vectors: &[Self]) -> RecordBatch {
        let mut table = TableBuilder::default()
            .text("episode", vectors.iter().map(|vector| &vector.episode))
            .text("symbol", vectors.iter().map(|vector| &vector.symbol))
            .text("kind", vectors.iter().map(|vector| vector.kind.name()))
            .instant("trigger_start", vectors.iter().map(|vector| vector.trigger_start))
            .instant("known_at", vectors.iter().map(|vector| vector.known_at));
        for (dimension, name) in VECTOR_FEATURES.iter().enumerate() {
            let values: Vec<f64> = vectors.iter().map(|vector| vector.values[dimension]).collect();
            table = table.real(name, &values);
        }
        table.finish()
    }

    /// Vectors back from their table.
    ///
    /// # Errors
    /// [`StageError::Outcome`] where the table holds what came of the episodes; else as [`Episode::read`].
    pub fn read(batch: &RecordBatch) -> Result<Vec<Self>, StageError> {
        refuse_outcomes(batch)?;
        let rows = Rows::of(batch, "episodes");
        let (ids, symbols, kinds) = (rows.texts("episode")?, rows.texts("symbol")?, rows.texts("kind")?);
        let (trigger_start, known_at) = (rows.instants("trigger_start")?, rows.instants("known_at")?);
        let columns = VECTOR_FEATURES.iter().map(|name| rows.reals(name)).collect::<Result<Vec<_>, _>>()?;
        let vector = |row: usize| {
            let kind = kinds.value(row);
            Ok(Self {
                episode: ids.value(row).to_owned(),
                symbol: symbols.value(row).to_owned(),
                kind: LevelKind::from_name(kind).ok_or_else(|| StageError::Word {
                    column: "kind".to_owned(),
                    row,
                    found: kind.to_owned(),
                    expected: "kind of level",
                })?,
                trigger_start: trigger_start[row],
                known_at: known_at[row],
                values: std::array::from_fn(|dimension| columns[dimension][row]),
            })
        };
        (0..rows.len()).map(vector).collect()
    }
}
