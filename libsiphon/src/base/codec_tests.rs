use super::*;

#[test]
fn what_is_written_is_read_back_in_order() {
    let mut w = Writer::default();
    w.u8(1);
    w.u16(0x0203);
    w.u32(0x0405_0607);
    w.u64(0x0809_0a0b_0c0d_0e0f);
    w.bool(true);
    w.instant(Instant(77));
    w.bytes(b"branch");
    let bytes = w.into_bytes();
    assert_eq!(bytes.get(..7), Some(&[1, 2, 3, 4, 5, 6, 7][..]));
    let mut r = Reader::new(&bytes);
    assert_eq!(r.version("test", 1), Ok(()));
    assert_eq!((r.u16(), r.u32(), r.u64()), (Ok(0x0203), Ok(0x0405_0607), Ok(0x0809_0a0b_0c0d_0e0f)));
    assert_eq!((r.bool("flag"), r.instant(), r.bytes()), (Ok(true), Ok(Instant(77)), Ok(&b"branch"[..])));
    assert_eq!(r.finish(), Ok(()));
}

#[test]
fn a_fault_is_a_value() {
    assert_eq!(Reader::new(&[1, 2, 3]).u32(), Err(DecodeError::Truncated));
    assert_eq!(Reader::new(&[0, 0, 0, 9, 1]).bytes(), Err(DecodeError::Truncated));
    assert_eq!(Reader::new(&[0xff; 8]).bytes(), Err(DecodeError::TooLong { len: u32::MAX }));
    assert_eq!(Reader::new(&[2]).bool("flag"), Err(DecodeError::Invalid { what: "flag", value: 2 }));
    assert_eq!(
        Reader::new(&[3]).one_of("state", &['a', 'b']),
        Err(DecodeError::Invalid { what: "state", value: 3 })
    );
    assert_eq!(
        Reader::new(&[9]).version("Ict", 1),
        Err(DecodeError::Version { what: "Ict", found: 9, known: 1 })
    );
    assert_eq!(Reader::new(&[0, 0]).finish(), Err(DecodeError::Trailing { count: 2 }));
}

#[test]
fn a_byte_string_over_the_limit_is_cut_so_that_it_can_be_read() {
    let mut w = Writer::default();
    w.bytes(&vec![b'x'; MAX_BYTES + 1]);
    let bytes = w.into_bytes();
    assert_eq!(Reader::new(&bytes).bytes().map(<[u8]>::len), Ok(MAX_BYTES));
}
