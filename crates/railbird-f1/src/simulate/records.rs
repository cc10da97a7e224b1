//! Records on their way into the archive. Start at [`Records`].

/// Streams of the archive, by file name without the ending.
pub(super) mod stream {
    pub(crate) const SESSION_INFO: &str = "SessionInfo";
    pub(crate) const DRIVER_LIST: &str = "DriverList";
    pub(crate) const CAR_DATA: &str = "CarData.z";
    pub(crate) const POSITION: &str = "Position.z";
    pub(crate) const TIMING_DATA: &str = "TimingData";
    pub(crate) const TIMING_APP_DATA: &str = "TimingAppData";
    pub(crate) const TRACK_STATUS: &str = "TrackStatus";
    pub(crate) const SESSION_STATUS: &str = "SessionStatus";
    pub(crate) const RACE_CONTROL: &str = "RaceControlMessages";
    pub(crate) const LAP_COUNT: &str = "LapCount";
    pub(crate) const WEATHER: &str = "WeatherData";
    pub(crate) const HEARTBEAT: &str = "Heartbeat";
    pub(crate) const CLOCK: &str = "ExtrapolatedClock";
}

/// A record of a text stream.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Session time at which it is stamped, ms.
    pub(super) stamp_ms: i64,
    /// JSON.
    pub(super) json: String,
}

/// The records of every text stream, in the order of the archive's files.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Stream and its records.
    pub(super) streams: Vec<(&'static str, Vec<Record>)>,
}

impl Records {
    /// Adds a record; a stream appears with its first.
    pub(super) fn push(&mut self, stream: &'static str, stamp_ms: i64, json: String) {
        let record = Record { stamp_ms, json };
        match self.streams.iter_mut().find(|(name, _)| *name == stream) {
            Some((_, records)) => records.push(record),
            None => self.streams.push((stream, vec![record])),
        }
    }

    /// Puts every stream into the order of its stamps; equal stamps keep the order in which they were added.
    pub(super) fn sort(&mut self) {
        for (_, records) in &mut self.streams {
            records.sort_by_key(|record| record.stamp_ms);
        }
    }
}
