use super::*;
use proptest::prelude::*;

pub(super) fn text() -> impl Strategy<Value = Text> {
    "[ -~äß€]{0,40}".prop_map(|s| Text::from(s.as_str()))
}

fn address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::from((ip, port))),
        (any::<[u8; 16]>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::from((ip, port))),
    ]
}

fn connection() -> impl Strategy<Value = ConnectionId> {
    (any::<u8>(), any::<u32>(), any::<u32>()).prop_map(|(shard, slot, generation)| ConnectionId {
        shard,
        slot,
        generation,
    })
}

fn flow() -> impl Strategy<Value = Flow> {
    (
        prop_oneof![Just(Transport::Udp), Just(Transport::Tcp)],
        address(),
        address(),
        prop::option::of(connection()),
    )
        .prop_map(|(transport, local, remote, connection)| Flow { transport, local, remote, connection })
}

fn instance() -> impl Strategy<Value = Text> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(write_uuid),
        "<urn:uuid:[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}>"
            .prop_map(|s| Text::from(s.as_str())),
        "<urn:imei:[0-9]{8}-[0-9]{6}-0>".prop_map(|s| Text::from(s.as_str())),
        text(),
    ]
}

fn binding() -> impl Strategy<Value = Binding> {
    let times = (any::<u64>(), any::<u64>(), any::<u64>());
    let texts = (text(), text(), text(), prop::collection::vec("[!-~]{1,30}", 0..3));
    let optional = (
        prop::option::of(text()),
        prop::option::of(address()),
        prop::option::of(flow()),
        prop::option::of(instance()),
    );
    (times, texts, optional, 0u16..=1000, any::<u32>(), prop::option::of(any::<u32>()), any::<bool>())
        .prop_map(|(times, texts, optional, q, cseq, reg_id, received_is_remote)| Binding {
            uri: texts.0,
            params: texts.1,
            q,
            expires_at: Instant(times.0),
            updated_at: Instant(times.1),
            registered_at: Instant(times.2),
            call_id: texts.2,
            cseq,
            path: texts.3.iter().map(|p| Text::from(p.as_str())).collect(),
            user_agent: optional.0,
            received: if received_is_remote { optional.2.map(|f: Flow| f.remote) } else { optional.1 },
            flow: optional.2,
            instance_id: optional.3,
            reg_id,
        })
}

fn state() -> impl Strategy<Value = AorState> {
    let texts = || prop::collection::vec(text(), 0..3);
    (prop::collection::vec(binding(), 0..4), texts(), texts(), texts(), any::<u64>()).prop_map(
        |(bindings, service_routes, associated_uris, aliases, pending)| {
            let mut state = AorState {
                bindings,
                service_routes,
                associated_uris,
                aliases,
                pending_until: Instant::EPOCH,
            };
            if state.has_extras() {
                state.pending_until = Instant(pending);
            }
            state
        },
    )
}

/// As it is in another process: without connections.
fn elsewhere(mut state: AorState) -> AorState {
    for binding in &mut state.bindings {
        binding.flow = binding.flow.map(|f| Flow { connection: None, ..f });
    }
    state
}

proptest! {
    #[test]
    fn an_encoded_state_comes_back_whole_but_for_connections(state in state()) {
        let encoded = state.to_bytes();
        prop_assert_eq!(AorState::from_bytes(&encoded).unwrap(), elsewhere(state));
    }

    #[test]
    fn a_packed_state_comes_back_whole_and_gives_its_shared_texts_back(state in state()) {
        let mut interner = Interner::default();
        let mut packed = Vec::new();
        pack(&state, &mut Shared::Interned(&mut interner), &mut packed);
        let back = unpack(&mut Unpacker::new(&packed, SharedIn::Interned(&interner))).unwrap();
        prop_assert_eq!(&back, &state);
        release(&back, &mut interner);
        prop_assert_eq!(interner.len(), 0);
    }

    #[test]
    fn no_octets_panic_the_decoder(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = AorState::from_bytes(&octets);
        let _ = unpack(&mut Unpacker::new(&octets, SharedIn::Inline));
    }

    #[test]
    fn a_cut_or_lengthened_encoding_is_refused(state in state(), cut in any::<prop::sample::Index>()) {
        let encoded = state.to_bytes();
        let at = cut.index(encoded.len());
        prop_assert!(AorState::from_bytes(&encoded[..at]).is_err());
        let longer = [encoded.as_slice(), &[0]].concat();
        prop_assert!(AorState::from_bytes(&longer).is_err());
    }
}

#[test]
fn a_uuid_takes_sixteen_octets_and_other_instance_ids_stay_text() {
    let uuid = "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>";
    assert_eq!(&*write_uuid(parse_uuid(uuid).unwrap()), uuid);
    for other in [
        "<urn:uuid:F81D4FAE-7dec-11d0-a765-00a0c91e6bf6>",
        "<urn:uuid:f81d4fae7dec11d0a76500a0c91e6bf6>",
        "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6-00>",
        "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "<urn:imei:90420156-025763-0>",
        "",
    ] {
        assert_eq!(parse_uuid(other), None, "{other}");
    }
}

#[test]
fn another_version_is_refused_by_name() {
    let mut encoded = AorState::default().to_bytes();
    encoded[0] = 2;
    let error = AorState::from_bytes(&encoded).unwrap_err();
    assert_eq!(error.to_string(), "address of record has version 2, this build reads 1");
}

#[test]
fn the_encoding_of_a_known_state_does_not_change() {
    let state = AorState {
        bindings: vec![Binding {
            uri: "sip:a@192.0.2.1".into(),
            params: "".into(),
            q: 500,
            expires_at: Instant(3_600_000_000),
            updated_at: Instant(0),
            registered_at: Instant(0),
            call_id: "c".into(),
            cseq: 7,
            path: vec![],
            user_agent: Some("X".into()),
            received: None,
            flow: None,
            instance_id: None,
            reg_id: Some(1),
        }],
        ..AorState::default()
    };
    // Stores hold this layout: change VERSION with it.
    let hex: String = state.to_bytes().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        hex,
        "0100000027000180130f7369703a61403139322e302e322e3101630780c8ceb40d80c8ceb40d00f403010158"
    );
}
