//! `sdp`: session descriptions of messages, read, edited and put back.

use super::fixture::{Rig, load, message, question};
use crate::script::LogLevel;
use crate::wire::sip::Message;

const PHONE: &str = include_str!("../../../../fuzz/corpus/sdp/phone");

fn invite(content_type: &str, body: &str) -> Message {
    let body = body.replace("\r\n", "\n");
    message(&format!(
        "INVITE sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: <sip:a@b>;tag=1\n\
         To: <sip:bob@example.com>\nCall-ID: 1\nCSeq: 1 INVITE\nContact: <sip:a@h>\nContent-Type: {content_type}\n\n{body}"
    ))
}

fn script(body: &str) -> Rig {
    let body = body.trim_matches('\n').lines().map(|l| format!("    {l}\n")).collect::<String>();
    load(&format!("from siphon import proxy, sdp, log, timer\n\n@proxy.on_request\ndef f(request):\n{body}"))
}

/// The body that the request has when `body` of a handler, which begins with `s = sdp.parse(request)`, is through.
fn relayed(message: &Message, body: &str) -> String {
    let mut rig = script(&format!("s = sdp.parse(request)\n{body}\ns.apply(request)\nrequest.relay()"));
    let verdict = rig.request(message);
    assert!(verdict.decision.is_some(), "{verdict:?} {:?}", rig.log());
    let sent = verdict.message.as_ref().unwrap_or(message);
    assert_eq!(sent.header_named("Content-Type"), message.header_named("Content-Type"));
    String::from_utf8(sent.body().to_vec()).expect("text")
}

fn holds(body: &str) {
    let mut rig = script(&format!("s = sdp.parse(request)\n{body}\nrequest.reply(200)"));
    assert_eq!(rig.replied(&invite("application/sdp", PHONE)), 200, "{:?}", rig.log());
}

#[test]
fn a_session_description_is_read() {
    holds(
        "
assert s.origin == 'alice 2890844526 2890842807 IN IP4 192.0.2.10' and s.session_name == 'Call'
assert s.connection == 'IN IP4 192.0.2.10' and s.attrs == ['tool:phone 1.0']
assert s.get_attr('tool') == 'phone 1.0' and s.get_attr('Tool') is None and s.has_attr('tool')
audio, video = s.media
assert (audio.media_type, audio.port, audio.protocol, audio.connection) == ('audio', 49170, 'RTP/AVP', None)
assert audio.codecs == ['PCMU', 'PCMA', 'G722', 'iLBC', 'telephone-event'] and video.codecs == ['H261', '96']
assert video.connection == 'IN IP4 192.0.2.11' and video.get_attr('rtcp') == '53020 IN IP4 192.0.2.12'
assert audio.has_attr('ptime') and not audio.has_attr('rtcp') and audio.attrs[-1] == 'ptime:20' and not audio.is_rejected
assert bytes(s) == request.body and str(s) == request.body.decode()
assert (repr(s), repr(audio), repr(sdp)) == ('<Sdp \"Call\" audio video>', '<MediaSection audio 49170 RTP/AVP>', '<SdpNamespace>')
empty = sdp.parse('v=0')
assert (empty.origin, empty.session_name, empty.connection, empty.media) == (None, None, None, [])",
    );
}

#[test]
fn a_session_description_is_edited_and_applied() {
    let offer = invite("application/SDP;x=y", PHONE);
    assert_eq!(relayed(&offer, "pass"), PHONE);
    let sent = relayed(
        &offer,
        "
audio, video = s.media
s.set_attr('tool', 'other')
s.set_attr('ice-lite')
audio.set_attr('ptime', 30)
audio.remove_attr('fmtp')
audio.port = 4000
s.set_address('203.0.113.5')
s.remove_media('video')
assert len(s.media) == 2 and video.is_rejected and video.port == 0",
    );
    let expected = PHONE
        .replace("a=tool:phone 1.0", "a=tool:other\r\na=ice-lite")
        .replace("a=ptime:20", "a=ptime:30")
        .replace("a=fmtp:97 mode=20\r\n", "")
        .replace("a=fmtp:101 0-16\r\n", "")
        .replace("49170", "4000")
        .replace("c=IN IP4 192.0.2.10", "c=IN IP4 203.0.113.5")
        .replace("192.0.2.11", "203.0.113.5")
        .replace("192.0.2.12", "203.0.113.5")
        .replace("51372/2 RTP/AVP 31 96", "0 RTP/AVP 31");
    assert_eq!(sent, expected);
    let sent = relayed(&offer, "s.attrs = ['sendonly']\ns.media[0].attrs = []\ns.remove_attr('none')");
    assert!(sent.contains("t=0 0\r\na=sendonly\r\nm=audio 49170 RTP/AVP 0 8 9 97 101\r\nm=video"), "{sent}");
}

#[test]
fn codecs_are_filtered_removed_and_put_first() {
    let offer = invite("application/sdp", PHONE);
    let sent = relayed(
        &offer,
        "s.filter_codecs(['pcma', 'PCMU', 'telephone-event', 'H261'])\ns.reorder_codecs(['PCMA'])",
    );
    assert!(sent.contains("m=audio 49170 RTP/AVP 8 0 101\r\n") && !sent.contains("iLBC"), "{sent}");
    assert!(sent.contains("m=video 51372/2 RTP/AVP 31\r\n"), "{sent}");
    let sent =
        relayed(&offer, "s.remove_codecs(('H261', 'G722', 'iLBC'))\nassert not s.media[1].is_rejected");
    assert!(sent.contains("m=audio 49170 RTP/AVP 0 8 101\r\n"), "{sent}");
    holds("try:\n    s.filter_codecs('PCMA')\nexcept TypeError:\n    pass\nelse:\n    assert False");
}

#[test]
fn a_script_holds_and_resumes() {
    holds(
        "
audio, video = s.media
video.direction = 'recvonly'
assert (audio.direction, video.direction, s.is_held) == ('sendrecv', 'recvonly', False)
s.hold()
assert (audio.direction, video.direction, audio.is_held, s.is_held) == ('sendonly', 'inactive', True, True)
s.resume()
assert (audio.direction, video.direction, s.is_held) == ('sendrecv', 'recvonly', False)",
    );
    let sent = relayed(&invite("application/sdp", PHONE), "s.media[0].direction = 'sendrecv'");
    assert_eq!(sent, PHONE, "what holds already is not written");
}

#[test]
fn a_description_is_taken_from_messages_octets_and_text() {
    holds(
        "
for same in (request.body, request.body.decode(), bytearray(request.body), type('M', (), {'body': request.body})()):
    assert bytes(sdp.parse(same)) == request.body
for wrong, error in ((b'', ValueError), ('hello', ValueError), ('v=0\\nm=audio x', ValueError), (7, TypeError)):
    try:
        sdp.parse(wrong)
    except error:
        pass
    else:
        assert False, wrong
class Box:
    def set_body(self, *given): self.given = given
box = Box()
s.apply(box)
assert box.given == (request.body, 'application/sdp')
try:
    s.apply(7)
except TypeError:
    pass
else:
    assert False",
    );
    for other in [invite("text/plain", PHONE), super::verdicts::invite()] {
        let mut rig =
            script("try:\n    sdp.parse(request)\nexcept ValueError as e:\n    request.reply(488, str(e))");
        assert_eq!(rig.replied(&other), 488);
    }
}

#[test]
fn the_description_in_a_multipart_body_is_replaced_there() {
    let parts = |sdp: &str| {
        format!(
            "--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b\r\nContent-Type: application/x-other\r\n\r\nv=0 is not for us\r\n--b--\r\n"
        )
    };
    let offer = invite("multipart/mixed;boundary=b", &parts(PHONE));
    assert_eq!(relayed(&offer, "assert s.session_name == 'Call'"), parts(PHONE));
    let sent = relayed(&offer, "s.media[0].port = 4444\ns.set_attr('tool', 'a rather long text')");
    assert_eq!(sent, parts(&PHONE.replace("49170", "4444").replace("phone 1.0", "a rather long text")));
}

#[test]
fn the_description_of_a_reply_is_edited_and_one_is_given_to_a_reply_without() {
    let mut rig = load(
        "from siphon import proxy, sdp\n@proxy.on_request\ndef f(request):\n    request.relay()\n@proxy.on_reply\ndef g(request, reply):\n    s = sdp.parse('v=0\\r\\ns=-\\r\\n')\n    s.apply(reply)\n    t = sdp.parse(reply)\n    t.set_attr('x', 'y')\n    t.apply(reply)\n",
    );
    let offer = invite("application/sdp", PHONE);
    let keep = rig.request(&offer).keep;
    let sent = rig.reply(&offer, keep, "200 OK").message.expect("edited");
    assert_eq!(
        (sent.body(), sent.header_named("Content-Type").as_deref()),
        (&b"v=0\r\ns=-\r\na=x:y\r\n"[..], Some("application/sdp"))
    );
}

#[test]
fn line_breaks_and_what_is_none_are_refused_and_late_edits_too() {
    holds(
        "
def refused(edit):
    try:
        edit()
    except ValueError:
        return True
audio = s.media[0]
assert refused(lambda: s.set_attr('tool', 'x\\r\\na=y')) and refused(lambda: s.set_attr('a b', 'x'))
assert refused(lambda: audio.set_attr('tool', 'x\\0')) and refused(lambda: audio.set_attr('', 'x'))
assert refused(lambda: setattr(s, 'attrs', ['ok', 'a\\nb'])) and refused(lambda: setattr(audio, 'attrs', [':']))
assert refused(lambda: setattr(audio, 'port', 65536)) and refused(lambda: setattr(audio, 'direction', 'both'))
assert refused(lambda: s.set_address('host.example'))
assert bytes(s) == request.body",
    );
    let mut rig = load(
        "from siphon import proxy, sdp, log, timer\n@proxy.on_request\nasync def f(request):\n    s = sdp.parse(request)\n    request.relay()\n    await timer.sleep(1)\n    s.hold()\n    try:\n        s.apply(request)\n    except RuntimeError as e:\n        log.info(str(e))\n",
    );
    rig.begin(question(&invite("application/sdp", PHONE)));
    rig.pass(1000);
    let told = rig.logged(LogLevel::Info);
    assert!(told[0].contains("relayed already"), "{told:?}");
}
