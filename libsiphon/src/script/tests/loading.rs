//! Loading, failing to load, reloading, and what is not there.

use super::fixture::{load, settings, try_load};

fn refused(text: &str) -> String {
    match try_load(settings(text)) {
        Ok(_) => panic!("it loaded"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_namespace_of_another_role_names_that_role() {
    let text = refused("\nfrom siphon import ipsec\n");
    assert!(text.contains("'ipsec' is not available in siphon-proxy (available in: siphon-pcscf)"), "{text}");
    assert!(text.contains("script.py:2"), "{text}");
}

#[test]
fn a_namespace_that_is_not_built_says_so() {
    for name in ["gateway", "cdr", "registration", "presence"] {
        let text = refused(&format!("from siphon import {name}\n"));
        assert!(text.contains("not in this version"), "{text}");
    }
}

#[test]
fn an_unknown_decorator_is_told_with_its_line_and_a_guess() {
    let text = refused("from siphon import proxy\n\n@proxy.on_reqest\ndef f(request): pass\n");
    assert!(text.contains("script.py:3") && text.contains("did you mean \"on_request\""), "{text}");
}

#[test]
fn a_wrong_signature_is_told_with_its_line() {
    let text = refused(
        "from siphon import proxy\n@proxy.on_request\ndef f(): pass\n@proxy.on_reply\ndef g(request): pass\n",
    );
    assert!(
        text.contains("script.py:2") && text.contains("script.py:4") && text.contains("(request, reply)"),
        "{text}"
    );
}

#[test]
fn a_syntax_error_is_told_with_its_line() {
    let text = refused("x = 1\ndef f(:\n    pass\n");
    assert!(text.contains("script.py:2: SyntaxError"), "{text}");
}

#[test]
fn handlers_are_not_registered_later() {
    let mut rig = load(
        "from siphon import proxy\n@proxy.on_request\ndef f(request):\n    proxy.on_reply(lambda a, b: None)\n    request.reply(200)\n",
    );
    let verdict = rig.request(&super::verdicts::invite());
    assert!(format!("{verdict:?}").contains("while the script loads"), "{verdict:?}");
}
