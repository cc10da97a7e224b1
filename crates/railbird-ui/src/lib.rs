//! The web pages, built by npm and embedded
