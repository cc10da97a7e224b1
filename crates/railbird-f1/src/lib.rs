//! Formula 1 timing: from live-timing records to a session that can be replayed
