//! Records on their way into the archive. Start at [`Records`].

/// Streams of the archive, by file name without the ending.
pub(super) mod stream {
    pub(in super::super) const SESSION_INFO: &str = "SessionInfo";
    pub(in super::super) const DRIVER_LIST: &str = "DriverList";
    pub(in super::super) const CAR_DATA: &str = "CarData.z";
    pub(in super::super) const POSITION: &str = "Position.z";
    pub(in super::super) const TIMING_DATA: &str = "TimingData";
    pub(in super::super) const TIMING_APP_DATA: &str = "TimingAppData";
    pub(in super::super) const TRACK_STATUS: &str = "TrackStatus";
    pub(in super::super) const SESSION_STATUS: &str = "SessionStatus";
    pub(in super::super) const RACE_CONTROL: &str = "RaceControlMessages";
    pub(in super::super) const LAP_COUNT: &str = "LapCount";
    pub(in super::super) const WEATHER: &str = "WeatherData";
    pub(in super::super) const HEARTBEAT: &str = "Heartbeat";
    pub(in super::super) const CLOCK: &str = "ExtrapolatedClock";
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
