//! How an offer or an answer is to be rewritten: the keys of NG's offer and answer beside the SDP.

use crate::base::text::Text;
use crate::wire::bencode::{Dictionary, Value};

/// Options of an offer or of an answer. What is empty is not sent, and rtpengine's own default holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Half {
    /// `RTP/AVP`, `RTP/SAVP`, `UDP/TLS/RTP/SAVPF`: what the receiver of the SDP is spoken to with.
    pub transport_protocol: Option<Text>,
    /// `remove`, `force`, `default`, `force-relay`, `optional`.
    pub ice: Option<Text>,
    /// `off`, `passive`, `active`.
    pub dtls: Option<Text>,
    /// Options of SDES (RFC 4568): `off`, `pad`, …
    pub sdes: Vec<Text>,
    /// Parts of the SDP to rewrite: `origin`, `session-connection`, …
    pub replace: Vec<Text>,
    /// `IP4` or `IP6`: the family of the addresses that are put into the SDP.
    pub address_family: Option<Text>,
    /// Flags, as rtpengine names them.
    pub flags: Vec<Text>,
    /// Interfaces of rtpengine: that of the sender of the SDP, that of its receiver.
    pub direction: Vec<Text>,
    /// Record the call from its begin.
    pub record_call: bool,
    /// Where the recording is put.
    pub record_path: Option<Text>,
    /// Tell rtpengine the source address of the SIP message.
    pub received_from: bool,
    /// `offer`, `require`, `demux`, `accept`, `reject` (RFC 5761).
    pub rtcp_mux: Vec<Text>,
    /// What happens to the codecs of the SDP.
    pub codecs: Codecs,
}

/// What happens to codecs, by their names in the SDP.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Codecs {
    /// Taken out of the SDP.
    pub strip: Vec<Text>,
    /// Kept when all others are stripped.
    pub except: Vec<Text>,
    /// Offered on, whatever else is stripped.
    pub offer: Vec<Text>,
    /// Added to the offer, and transcoded from and to.
    pub transcode: Vec<Text>,
    /// Not offered on, and accepted towards the offerer all the same.
    pub mask: Vec<Text>,
}

impl Half {
    /// Puts what is set into a command.
    pub(super) fn put_into(&self, command: &mut Dictionary) {
        let mut text = |key: &str, value: &Option<Text>| {
            if let Some(value) = value {
                command.insert(key.as_bytes().to_vec(), Value::from(&**value));
            }
        };
        text("transport protocol", &self.transport_protocol);
        text("ICE", &self.ice);
        text("DTLS", &self.dtls);
        text("address family", &self.address_family);
        text("output-destination", &self.record_path);
        put_list(command, "SDES", &self.sdes);
        put_list(command, "replace", &self.replace);
        put_list(command, "flags", &self.flags);
        put_list(command, "direction", &self.direction);
        put_list(command, "rtcp-mux", &self.rtcp_mux);
        if self.record_call {
            command.insert(b"record call".to_vec(), Value::from("yes"));
        }
        let mut codec = Dictionary::new();
        put_list(&mut codec, "strip", &self.codecs.strip);
        put_list(&mut codec, "except", &self.codecs.except);
        put_list(&mut codec, "offer", &self.codecs.offer);
        put_list(&mut codec, "transcode", &self.codecs.transcode);
        put_list(&mut codec, "mask", &self.codecs.mask);
        if !codec.is_empty() {
            command.insert(b"codec".to_vec(), Value::Dictionary(codec));
        }
    }
}

fn put_list(into: &mut Dictionary, key: &str, list: &[Text]) {
    if !list.is_empty() {
        let list = list.iter().map(|text| Value::from(&**text)).collect();
        into.insert(key.as_bytes().to_vec(), Value::List(list));
    }
}
