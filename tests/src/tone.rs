//! Tones in WAV files: making one, and finding which of several a recording holds (Goertzel).
