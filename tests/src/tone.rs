//! Tones in WAV files: making one, and finding which of several a recording holds.

use std::f64::consts::TAU;
use std::path::Path;

const RATE: u32 = 8000;

/// The bytes of a WAV file with `seconds` of a sine at `hertz`: 8 kHz, mono, 16 bit.
pub fn wav(hertz: f64, seconds: u32) -> Vec<u8> {
    let samples = RATE * seconds;
    let data = samples * 2;
    let mut out = Vec::with_capacity(data as usize + 44);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + data).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16u32.to_le_bytes());
    for half in [1u16, 1] {
        out.extend_from_slice(&half.to_le_bytes()); // PCM, one channel
    }
    out.extend_from_slice(&RATE.to_le_bytes());
    out.extend_from_slice(&(RATE * 2).to_le_bytes());
    for half in [2u16, 16] {
        out.extend_from_slice(&half.to_le_bytes()); // bytes per frame, bits per sample
    }
    out.extend_from_slice(b"data");
    out.extend_from_slice(&data.to_le_bytes());
    for n in 0..samples {
        let value = (TAU * hertz * f64::from(n) / f64::from(RATE)).sin() * 12_000.0;
        out.extend_from_slice(&(value as i16).to_le_bytes());
    }
    out
}

/// What a recording holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// The strongest of the tones asked for, in hertz; `None` when it is silent.
    pub tone: Option<f64>,
    /// Length in seconds.
    pub seconds: f64,
    /// Loudness from 0 to 32767.
    pub rms: f64,
}

/// Reads a 16-bit WAV file and names the strongest of `tones` in its middle second.
pub fn hear(path: &Path, tones: &[f64]) -> std::io::Result<Heard> {
    let bytes = std::fs::read(path)?;
    let field = |at: usize| bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let channels = (field(20) >> 16).max(1) as usize;
    let rate = f64::from(field(24).max(1));
    let start = bytes.windows(4).position(|w| w == b"data").map_or(bytes.len(), |at| at + 8);
    let samples: Vec<f64> = bytes[start.min(bytes.len())..]
        .chunks_exact(2 * channels)
        .map(|frame| f64::from(i16::from_le_bytes([frame[0], frame[1]])))
        .collect();
    let seconds = samples.len() as f64 / rate;
    let third = samples.len() / 3;
    let middle = &samples[third..(third + rate as usize).min(samples.len())];
    let power = |tone: &f64| goertzel(middle, *tone / rate);
    let strongest = tones.iter().copied().max_by(|a, b| power(a).total_cmp(&power(b)));
    let energy: f64 = middle.iter().map(|x| x * x).sum();
    let rms = (energy / middle.len().max(1) as f64).sqrt();
    Ok(Heard { tone: strongest.filter(|_| rms > 100.0), seconds, rms })
}

/// Power of one frequency (as a fraction of the sampling rate), by Goertzel's recurrence.
fn goertzel(samples: &[f64], frequency: f64) -> f64 {
    let k = 2.0 * (TAU * frequency).cos();
    let (a, b) = samples.iter().fold((0.0, 0.0), |(a, b), x| (x + k * a - b, a));
    a * a + b * b - k * a * b
}
