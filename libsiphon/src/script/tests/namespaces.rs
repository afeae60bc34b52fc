//! timer, cache, metrics, log, registrar, and what stdlib output becomes.

use super::fixture::{Rig, binding, load};
use super::verdicts::{handler, invite};
use crate::event::BindingChange;
use crate::script::LogLevel;

fn infos(rig: &Rig) -> Vec<String> {
    rig.logged(LogLevel::Info)
}

#[test]
fn timer_every_calls_once_per_period() {
    let mut rig = load(
        "from siphon import timer, log\n@timer.every('2s', name='t')\ndef tick():\n    log.info('tick')\n",
    );
    use crate::policy::Policy;
    assert_eq!(rig.policy.deadline(), Some(rig.now + crate::base::time::Duration::from_secs(2)));
    rig.pass(1999);
    assert!(infos(&rig).is_empty());
    rig.pass(1);
    rig.pass(2000);
    assert_eq!(infos(&rig), ["tick", "tick"]);
}

#[test]
fn timer_every_takes_async_handlers() {
    let mut rig = load(
        "from siphon import timer, log\n@timer.every(1)\nasync def tick():\n    await timer.sleep(0.5)\n    log.info('tock')\n",
    );
    rig.pass(1000);
    assert!(infos(&rig).is_empty());
    rig.pass(500);
    assert_eq!(infos(&rig), ["tock"]);
}

#[test]
fn timer_set_fires_once_and_the_same_key_replaces_and_cancels() {
    let mut rig = handler(
        "h = timer.set('k', 1000, lambda: log.info('a'))\nassert h.key == 'k'\ntimer.set('k', '3s', lambda: log.info('b'))\nt = timer.set('x', 10, lambda: log.info('c'))\nassert t.cancel() and not timer.cancel('x')\nrequest.reply(200)",
    );
    rig.replied(&invite());
    rig.pass(1500);
    assert!(infos(&rig).is_empty());
    rig.pass(1500);
    rig.pass(9000);
    assert_eq!(infos(&rig), ["b"]);
}

#[test]
fn a_timer_that_raises_is_logged_with_its_line() {
    let mut rig = load("from siphon import timer\n@timer.every(1)\ndef tick():\n    1/0\n");
    rig.pass(1000);
    let log = rig.log();
    assert!(log[0].text.contains("ZeroDivisionError") && log[0].script_line == "script.py:4", "{log:?}");
}

#[test]
fn the_cache_forgets_by_time_and_by_use() {
    let mut rig = handler(
        "step = request.ruri.user\nif step == 'fill':\n    cache.store('c', 'a', '1')\n    cache.store('c', 'b', '2', ttl=5)\n    cache.store('c', 'd', '3', ttl='1h')\n    cache.fetch('c', 'a')\n    request.reply(200)\n    return\nrequest.reply(200, ','.join(str(cache.fetch('c', k)) for k in 'abde'))",
    );
    let ask = |rig: &mut Rig, user: &str| {
        let message = super::fixture::request("INVITE", &format!("sip:{user}@example.com"), "");
        match rig.request(&message).decision {
            Some(crate::policy::Decision::Reply(spec)) => {
                spec.reason.map(|r| r.to_string()).unwrap_or_default()
            }
            other => panic!("{other:?}"),
        }
    };
    ask(&mut rig, "fill");
    assert_eq!(ask(&mut rig, "look"), "1,2,3,None");
    rig.pass(5000);
    assert_eq!(ask(&mut rig, "look"), "1,None,3,None");
    rig.pass(55_000);
    assert_eq!(ask(&mut rig, "look"), "None,None,3,None");
}

#[test]
fn the_cache_holds_lists_counts_them_and_makes_room_by_use() {
    let mut rig = handler(
        "assert cache.list_push('c', 'q:1', 'x') == 1 and cache.list_push('c', 'q:1', 'y') == 2\nassert cache.list_push('c', 'q:2', 'z') == 1 and cache.list_len('c', 'q:1') == 2\nassert cache.list_len_sum('c', 'q:') == 3 and cache.list_len('c', 'none') == 0\nassert cache.list_pop_all('c', 'q:1') == ['x', 'y'] and not cache.exists('c', 'q:1')\nassert cache.store('c', 't', 'v') and cache.list_push('c', 't', 'x') is None\nassert cache.expire('c', 't', 1) and not cache.expire('c', 'none', 1)\nassert cache.delete('c', 't') and not cache.delete('c', 't')\nassert cache.has_cache('c') and not cache.has_cache('nope')\nfor k in 'abcd': cache.store('c', k, k)\nassert cache.fetch('c', 'a') is None and cache.fetch('c', 'd') == 'd'\ntry:\n    cache.fetch('nope', 'k')\nexcept LookupError as e:\n    assert 'there is c' in str(e)\nelse:\n    assert False\nrequest.reply(200)",
    );
    assert_eq!(rig.replied(&invite()), 200);
}

#[test]
fn metrics_count_with_labels_and_refuse_wrong_ones() {
    let mut rig = handler(
        "c = metrics.counter('calls', 'help', labels=['kind'])\nc.labels(kind='x').inc()\nc.labels(kind='x').inc(2)\ng = metrics.gauge('level', 'help')\ng.set(5); g.dec()\nmetrics.histogram('took', 'help', buckets=[1, 2]).observe(0.5)\nfor wrong in (lambda: c.inc(), lambda: c.labels(other='x'), lambda: c.labels(kind='x').inc(-1), lambda: metrics.gauge('', '')):\n    try:\n        wrong()\n    except ValueError:\n        pass\n    else:\n        assert False\nrequest.reply(200)",
    );
    assert_eq!(rig.replied(&invite()), 200);
    let values = rig.node.metrics.lock().unwrap().clone();
    assert_eq!((values["calls{x}"], values["level{}"], values["took{}"]), (3.0, 4.0, 0.5));
}

#[test]
fn log_lines_carry_fields_script_line_and_call_id() {
    let mut rig = handler(
        "log.info('hello', who='bob', n=3)\nlog.warn('w')\nlog.warning('ww')\nlog.error('e')\nlog.debug('d')\nrequest.reply(200)",
    );
    rig.replied(&invite());
    let log = rig.log();
    assert_eq!(log[0].fields, [("who".into(), "bob".into()), ("n".into(), "3".into())]);
    assert_eq!(
        (log[0].script_line.as_str(), log[0].call_id.as_deref()),
        ("script.py:4", Some("call-1@host"))
    );
    let levels: Vec<LogLevel> = log.iter().map(|l| l.level).collect();
    assert_eq!(
        levels,
        [LogLevel::Info, LogLevel::Warning, LogLevel::Warning, LogLevel::Error, LogLevel::Debug]
    );
}

#[test]
fn print_logging_and_warnings_land_in_the_log_with_the_scripts_line() {
    let mut rig = load(
        "import logging, warnings, sys\nfrom siphon import proxy\nwarnings.simplefilter('always')\n@proxy.on_request\ndef f(request):\n    print('printed', 1)\n    logging.getLogger('x').warning('logged %d', 2)\n    warnings.warn('warned')\n    sys.stderr.write('err\\n')\n    request.reply(200)\n",
    );
    rig.replied(&invite());
    let log = rig.log();
    let lines: Vec<(&str, &str)> = log.iter().map(|l| (l.text.as_str(), l.script_line.as_str())).collect();
    let expected = [
        ("printed 1", "script.py:6"),
        ("logged 2", "script.py:7"),
        ("UserWarning: warned", "script.py:8"),
        ("err", "script.py:9"),
    ];
    assert_eq!(lines, expected);
    assert!(log.iter().all(|l| l.call_id.as_deref() == Some("call-1@host")));
}

#[test]
fn the_registrar_is_asked_by_text_uri_or_contact() {
    let mut rig = handler(
        "assert registrar.is_registered('sip:bob@example.com') and registrar.is_registered(request.ruri)\nassert registrar.is_registered('bob@example.com') and not registrar.is_registered('sip:eve@example.com')\nc = registrar.lookup(request.ruri)[0]\nassert c.q == 0.5 and 0 < c.expires <= 3600 and c.age_secs == 0 and c.path == [] and c.received == '203.0.113.5:5060'\nassert c.params == {'+g.x': None, 'p': 'v'} and c.instance_id == '<urn:uuid:1>' and c.reg_id == 1 and not c.is_local\nassert c.flow is None and str(c) == str(c.uri) == 'sip:bob@10.0.0.1'\nassert registrar.remove(request.ruri) and not registrar.expire(request.ruri)\nrequest.reply(200)",
    );
    let mut bob = binding("sip:bob@10.0.0.1");
    (bob.q, bob.params, bob.reg_id) = (500, ";+g.x;p=v".into(), Some(1));
    (bob.instance_id, bob.received) =
        (Some("<urn:uuid:1>".into()), Some("203.0.113.5:5060".parse().unwrap()));
    rig.bind("bob@example.com", vec![bob]);
    assert_eq!(rig.replied(&invite()), 200, "{:?}", rig.log());
}

#[test]
fn on_change_is_told_what_happened_and_which_contacts_are_left() {
    let mut rig = load(
        "from siphon import registrar, log\n@registrar.on_change\ndef changed(aor, event_type, contacts):\n    log.info(f'{aor} {event_type} {[str(c.uri) for c in contacts]}')\n",
    );
    rig.bind("bob@example.com", vec![binding("sip:bob@10.0.0.1")]);
    rig.script.binding_changed("sip:bob@example.com", BindingChange::Registered);
    rig.script.binding_changed("sip:eve@example.com", BindingChange::Expired);
    rig.pass(0);
    assert_eq!(
        infos(&rig),
        ["sip:bob@example.com registered ['sip:bob@10.0.0.1']", "sip:eve@example.com expired []"]
    );
}

#[test]
fn durations_are_numbers_or_text_with_a_unit() {
    for good in ["'500ms'", "'1m'", "3", "0.5", "'2 h'", "__import__('datetime').timedelta(seconds=3)"] {
        load(&format!("from siphon import timer\n@timer.every({good})\ndef t(): pass\n"));
    }
    for bad in ["'soon'", "'-3s'", "-1", "0", "float('nan')", "'3 weeks'"] {
        let text = format!("from siphon import timer\n@timer.every({bad})\ndef t(): pass\n");
        assert!(super::fixture::try_load(super::fixture::settings(&text)).is_err(), "{bad}");
    }
}

#[test]
fn nat_fixes_name_the_source_of_the_request() {
    let contact = |body: &str| {
        let verdict = handler(&format!("{body}\nrequest.relay()")).request(&invite());
        verdict.message.expect("edited").header_named("Contact").map(|c| c.into_owned()).unwrap()
    };
    assert_eq!(contact("request.fix_nated_contact()"), "<sip:alice@203.0.113.9:40000>");
    assert_eq!(
        contact("request.add_contact_alias()"),
        "<sip:alice@198.51.100.7:5060;alias=203.0.113.9~40000~1>"
    );
    assert_eq!(contact("request.set_contact_user('x')"), "<sip:x@198.51.100.7:5060>");
}

#[test]
fn check_finds_everything_wrong_in_one_go() {
    let text = "from siphon import proxy, ipsec2, log\n\ndef later():\n    from siphon import presence\n    proxy.on_reqest\n";
    let problems: Vec<String> =
        crate::script::check(super::fixture::settings(text)).iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].starts_with("script.py:1:") && problems[0].contains("ipsec2"), "{problems:?}");
    assert!(
        problems[1].starts_with("script.py:4:") && problems[1].contains("not in this version"),
        "{problems:?}"
    );
    assert!(problems[2].starts_with("script.py:5:") && problems[2].contains("on_request"), "{problems:?}");
    assert!(
        crate::script::check(super::fixture::settings(include_str!(
            "../../../../tests/seed/scripts/proxy_default.py"
        )))
        .is_empty()
    );
}
