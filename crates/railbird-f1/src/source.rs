//! What to ask the source for. Start at [`Stream`].

/// A stream of the live-timing source that a session is built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// What the session is.
    SessionInfo,
    /// Who drives.
    DriverList,
    /// Status of the session.
    SessionStatus,
    /// Status of the track.
    TrackStatus,
    /// Laps of the race.
    LapCount,
    /// Stints and grid.
    TimingAppData,
    /// Laps, sectors, positions, gaps.
    TimingData,
    /// Messages of race control.
    RaceControlMessages,
    /// Weather.
    WeatherData,
    /// Car channels, compressed.
    CarData,
    /// Positions, compressed.
    Position,
}

/// Every stream, in the order in which records of the same stamp are applied.
pub const STREAMS: [Stream; 11] = [
    Stream::SessionInfo,
    Stream::DriverList,
    Stream::SessionStatus,
    Stream::TrackStatus,
    Stream::LapCount,
    Stream::TimingAppData,
    Stream::TimingData,
    Stream::RaceControlMessages,
    Stream::WeatherData,
    Stream::CarData,
    Stream::Position,
];

/// Largest file of a stream that is read, bytes. A whole race weekend's largest stream is about 15 MB.
pub const STREAM_BYTES_MAX: u64 = 256 << 20;

impl Stream {
    /// The stream's name at the source.
    pub const fn topic(self) -> &'static str {
        match self {
            Self::SessionInfo => "SessionInfo",
            Self::DriverList => "DriverList",
            Self::SessionStatus => "SessionStatus",
            Self::TrackStatus => "TrackStatus",
            Self::LapCount => "LapCount",
            Self::TimingAppData => "TimingAppData",
            Self::TimingData => "TimingData",
            Self::RaceControlMessages => "RaceControlMessages",
            Self::WeatherData => "WeatherData",
            Self::CarData => "CarData.z",
            Self::Position => "Position.z",
        }
    }

    /// The stream's file in an archive folder.
    pub fn file_name(self) -> String {
        format!("{}.jsonStream", self.topic())
    }

    /// The stream with this topic; `None` for topics that a session does not need.
    pub fn from_topic(topic: &str) -> Option<Self> {
        STREAMS.into_iter().find(|stream| stream.topic() == topic)
    }

    /// Whether records carry compressed JSON.
    pub const fn is_compressed(self) -> bool {
        matches!(self, Self::CarData | Self::Position)
    }
}
