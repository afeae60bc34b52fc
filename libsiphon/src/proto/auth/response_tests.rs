use super::*;

const MD5: Algorithm = Algorithm::Md5;

fn example<'a>(algorithm: Algorithm) -> Signed<'a> {
    // RFC 7616 3.9.1.
    Signed {
        algorithm,
        session: false,
        nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        nc: "00000001",
        cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        qop: Qop::Auth,
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
    }
}

fn ha1(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> HexDigest {
    algorithm.hash(&[user.as_bytes(), realm.as_bytes(), password.as_bytes()])
}

#[test]
fn the_md5_example_of_rfc_7616_comes_out() {
    let ha1 = ha1(MD5, "Mufasa", "http-auth@example.org", "Circle of Life");
    assert_eq!(example(MD5).response(&ha1).as_str(), "8ca523f5e9506fed4657c9700eebdbec");
}

#[test]
fn the_sha_256_example_of_rfc_7616_comes_out() {
    let ha1 = ha1(Algorithm::Sha256, "Mufasa", "http-auth@example.org", "Circle of Life");
    assert_eq!(
        example(Algorithm::Sha256).response(&ha1).as_str(),
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    );
}

#[test]
fn the_sha_512_256_example_of_rfc_7616_comes_out_as_its_erratum_corrects_it() {
    let signed = Signed {
        nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        uri: "/doe.json",
        ..example(Algorithm::Sha512_256)
    };
    let ha1 = ha1(Algorithm::Sha512_256, "Jäsøn Doe", "api@example.org", "Secret, or not?");
    assert_eq!(
        signed.response(&ha1).as_str(),
        "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    );
}

#[test]
fn the_example_of_rfc_2617_comes_out() {
    let signed = Signed { nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", cnonce: "0a4f113b", ..example(MD5) };
    let ha1 = ha1(MD5, "Mufasa", "testrealm@host.com", "Circle Of Life");
    assert_eq!(signed.response(&ha1).as_str(), "6629fae49393a05397450978507c4ef1");
}

#[test]
fn without_qop_the_response_is_that_of_rfc_2069() {
    let signed = Signed { nonce: "n", qop: Qop::None, ..example(MD5) };
    let ha1 = ha1(MD5, "u", "r", "p");
    let ha2 = MD5.hash(&[b"GET", b"/dir/index.html"]);
    let expected = MD5.hash(&[ha1.as_bytes(), b"n", ha2.as_bytes()]);
    assert_eq!(signed.response(&ha1).as_str(), expected.as_str());
}

#[test]
fn auth_int_covers_the_body_and_auth_does_not() {
    let ha1 = ha1(MD5, "u", "r", "p");
    let with =
        |qop, body: &'static [u8]| Signed { qop, body, ..example(MD5) }.response(&ha1).as_str().to_owned();
    assert_eq!(with(Qop::Auth, b"a"), with(Qop::Auth, b"b"));
    assert_ne!(with(Qop::AuthInt, b"a"), with(Qop::AuthInt, b"b"));
    let ha2 = MD5.hash(&[b"GET", b"/dir/index.html", MD5.hash(&[b"a"]).as_bytes()]);
    let e = example(MD5);
    let expected = MD5.hash(&[
        ha1.as_bytes(),
        e.nonce.as_bytes(),
        b"00000001",
        e.cnonce.as_bytes(),
        b"auth-int",
        ha2.as_bytes(),
    ]);
    assert_eq!(with(Qop::AuthInt, b"a"), expected.as_str());
}

#[test]
fn the_session_variant_hashes_ha1_with_both_nonces() {
    let ha1 = ha1(MD5, "u", "r", "p");
    let plain = example(MD5);
    let session = Signed { session: true, ..plain };
    let inner = MD5.hash(&[ha1.as_bytes(), plain.nonce.as_bytes(), plain.cnonce.as_bytes()]);
    assert_eq!(session.response(&ha1).as_str(), plain.response(&inner).as_str());
    assert_ne!(session.response(&ha1).as_str(), plain.response(&ha1).as_str());
}
