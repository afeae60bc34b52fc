//! baresip phones with sound: each plays a tone of its own, records what it hears, and calls through the subject.
//!
//! Written for baresip 1.0 (Debian 12): sound files are a source only, so what is heard is recorded by `sndfile`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::port;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::tone::{self, Heard};

/// One phone.
pub struct Baresip {
    process: Process,
    scratch: Scratch,
}

/// What a phone is and does.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// User in example.com.
    pub user: &'a str,
    /// Digest password.
    pub password: &'a str,
    /// The tone it plays, in hertz.
    pub tone: f64,
    /// `udp` or `tcp`.
    pub transport: &'a str,
    /// Whom it calls once registered; without one it answers by itself.
    pub dials: Option<&'a str>,
    /// Seconds after which it ends by itself.
    pub lives: u32,
}

impl Baresip {
    /// Starts a phone that registers at `proxy`.
    pub fn start(proxy: SocketAddr, account: &Account<'_>) -> Self {
        let scratch = Scratch::new("baresip");
        let Account { user, password, tone, transport, dials, lives } = *account;
        // The port after the SIP port is taken too: baresip opens TLS there.
        let (sip, rtp) = (port::range(2), port::range(8));
        let answer = if dials.is_some() { "manual" } else { "auto" };
        let home = scratch.path().display().to_string();
        scratch.write("contacts", "");
        scratch.write("tone.wav", tone::wav(tone, 30));
        let outbound = format!("sip:{proxy};transport={transport}");
        scratch.write(
            "accounts",
            format!(
                "<sip:{user}@example.com;transport={transport}>;auth_user={user};auth_pass={password};\
                 outbound=\"{outbound}\";regint=60;audio_codecs=PCMA/8000/1;answermode={answer}\n"
            ),
        );
        let modules = modules_folder();
        scratch.write(
            "config",
            format!(
                "poll_method epoll
sip_listen 127.0.0.1:{sip}
net_interface 127.0.0.1
audio_source aufile,{home}/tone.wav
audio_player aubridge,player
audio_alert aubridge,alert
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_txmode thread
rtp_ports {rtp}-{}
rtp_stats yes
module_path {modules}
module stdio.so
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module uuid.so
module_tmp account.so
module_app menu.so
snd_path {home}
",
                rtp + 7
            ),
        );
        let mut command = Command::new("baresip");
        command.args(["-f", &home, "-v", "-t", &lives.to_string()]);
        if let Some(target) = dials {
            command.args(["-e", &format!("/dial {target}")]);
        }
        let process = Process::start(&format!("baresip {user}"), &mut command, &scratch.path().join("log"));
        Self { process, scratch }
    }

    /// Waits until its log holds this text.
    pub fn said(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.process.log().contains(text) {
            assert!(self.process.exited().is_none(), "the phone ended before it said {text:?}");
            assert!(Instant::now() < end, "the phone did not say {text:?}");
            // Ends at once when the phone does; otherwise it is how often the log is looked at.
            self.process.wait(Duration::from_millis(20));
        }
    }

    /// Waits for its end, then says which of `tones` it heard.
    pub fn heard(&mut self, tones: &[f64]) -> Heard {
        assert!(self.process.wait(Duration::from_secs(40)).is_some(), "the phone does not end");
        let folder = std::fs::read_dir(self.scratch.path()).expect("the phone's folder is there");
        let recording = folder
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().ends_with("dec.wav"));
        let recording = recording.expect("the phone recorded what it heard");
        tone::hear(&recording, tones).expect("the recording is readable")
    }

    /// What it has written.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn modules_folder() -> &'static str {
    let homes = ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"];
    homes.into_iter().find(|home| Path::new(home).is_dir()).unwrap_or("/usr/local/lib/baresip/modules")
}
