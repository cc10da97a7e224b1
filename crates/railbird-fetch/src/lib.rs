//! HTTP with deadlines, size limits and address rules
