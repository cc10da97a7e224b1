//! The centreline of an earlier session on the same circuit. Start at [`earlier_line`].
//!
//! The contentious decision: only a session of the same season is taken, since circuits are rebuilt between seasons and
//! keep their key at the source.
//!
//! Invariant: what is taken was known before the recording of the session that takes it began.

use std::borrow::Borrow;

use railbird_timeline::Ts;

use crate::codec::{About, LineOrigin, Manifest};
use crate::event::SessionInfo;
use crate::geometry::Centreline;

/// How long before the scheduled start of a session the line must have been known: recordings begin an hour before it.
const BEFORE_START_NS: i64 = 2 * 3_600_000_000_000;

/// A centreline that was fitted in an earlier session.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierLine {
    /// The line.
    pub line: Centreline,
    /// The session in which it was fitted.
    pub origin: LineOrigin,
}

impl EarlierLine {
    /// The line that the session of `manifest` took from an earlier one; `None` where it fitted its own, or has none.
    pub fn taken_by(manifest: &Manifest) -> Option<Self> {
        let origin = manifest.geometry.as_ref()?.origin.clone()?;
        Some(Self { line: line(manifest)?, origin })
    }
}

/// The centreline for a session that says `info` of itself: that of the session of `stored` that knew one last, on the same
/// circuit, in the same season, two hours or more before the scheduled start. `None` where there is none, or where one of
/// the two does not say where or when it takes place.
pub fn earlier_line<M: Borrow<Manifest>>(stored: &[M], info: &SessionInfo) -> Option<EarlierLine> {
    let about = About::new(info);
    let start = Ts::parse(about.start_utc.as_ref()?.as_bytes()).ok()?;
    let circuit = about.circuit_key?;
    let known = |manifest: &Manifest| -> Option<Ts> {
        let (session, geometry) = (&manifest.session, manifest.geometry.as_ref()?);
        let same =
            session.circuit_key == Some(circuit) && session.circuit == about.circuit && session.year == about.year;
        let zero = Ts::parse(manifest.origin_utc.as_bytes()).ok()?;
        let known = Ts(zero.0.checked_add((geometry.known_at_s * 1e9) as i64)?);
        (same && known.0 <= start.0 - BEFORE_START_NS).then_some(known)
    };
    let candidates = stored.iter().map(Borrow::borrow);
    // Of two that knew theirs at the same moment the version decides, so that the answer does not depend on the order.
    let (_, _, manifest) = candidates
        .filter_map(|manifest| Some((known(manifest)?, &manifest.version, manifest)))
        .max_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)))?;
    let own = || LineOrigin { session: manifest.id.clone(), version: manifest.version.clone() };
    Some(EarlierLine { line: line(manifest)?, origin: manifest.geometry.as_ref()?.origin.clone().unwrap_or_else(own) })
}

fn line(manifest: &Manifest) -> Option<Centreline> {
    let geometry = manifest.geometry.as_ref()?;
    let points = geometry.points.iter().map(|[x, y]| (*x, *y)).collect();
    Centreline::from_parts(geometry.length_m, points).ok()
}
