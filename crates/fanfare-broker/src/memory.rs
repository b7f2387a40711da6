//! The broker that keeps everything in this process and survives nothing.
