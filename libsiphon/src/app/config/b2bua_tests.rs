//! The words of the YAML are those of the engine, and each value arrives.

use super::*;
use serde_json::json;

fn of(b2bua: serde_json::Value, timer: serde_json::Value) -> B2bua {
    let block: B2buaBlock = serde_json::from_value(b2bua).expect("a good block");
    let timer: SessionTimerBlock = serde_json::from_value(timer).expect("a good block");
    B2bua::of(&block, &timer)
}

#[test]
fn header_policies_and_refer_modes_have_the_names_that_scripts_give_them() {
    for preset in call::HeaderPreset::ALL {
        assert_eq!(of(json!({"default_header_policy": preset.name()}), json!({})).headers, preset);
    }
    for mode in call::ReferMode::ALL {
        assert_eq!(of(json!({"default_refer_mode": mode.name()}), json!({})).refer, mode);
    }
}

#[test]
fn the_session_timer_arrives_or_there_is_none() {
    for refresher in call::SessionRefresher::ALL {
        let yaml = json!({"session_expires": 600, "min_se": "2m", "refresher": refresher.name()});
        let (expires, min_se) = (Duration::from_secs(600), Duration::from_secs(120));
        let wanted = SessionTimer { expires, min_se, refresher };
        assert_eq!(of(json!({}), yaml).session_timer, Some(wanted));
    }
    assert_eq!(of(json!({}), json!({"enabled": false})).session_timer, None);
}
