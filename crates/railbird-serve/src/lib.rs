//! Turns a field's descriptions into HTTP and WebSocket
