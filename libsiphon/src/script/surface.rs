//! Which names `from siphon import ...` offers in which role, and what to say about the others.

/// A namespace and the roles that offer it once it is built.
struct Namespace {
    name: &'static str,
    roles: &'static [&'static str],
}

const PROXY: &str = "siphon-proxy";
const SBC: &str = "siphon-sbc";
const PCSCF: &str = "siphon-pcscf";
const ICSCF: &str = "siphon-icscf";
const SCSCF: &str = "siphon-scscf";
const LI: &str = "siphon-li";

/// Every namespace of every role. What is built is what [`BUILT`] names.
const NAMESPACES: &[Namespace] = &[
    Namespace { name: "proxy", roles: &[PROXY, SBC, PCSCF, ICSCF, SCSCF] },
    Namespace { name: "cache", roles: &[PROXY, SBC, PCSCF, ICSCF, SCSCF] },
    Namespace { name: "log", roles: &[PROXY, SBC, PCSCF, ICSCF, SCSCF, LI] },
    Namespace { name: "timer", roles: &[PROXY, SBC, PCSCF, ICSCF, SCSCF, LI] },
    Namespace { name: "metrics", roles: &[PROXY, SBC, PCSCF, ICSCF, SCSCF, LI] },
    Namespace { name: "registrar", roles: &[PROXY, SBC, PCSCF, SCSCF] },
    Namespace { name: "auth", roles: &[PROXY, SBC, PCSCF, SCSCF] },
    Namespace { name: "gateway", roles: &[PROXY, SBC, SCSCF] },
    Namespace { name: "cdr", roles: &[PROXY, SBC, PCSCF, SCSCF] },
    Namespace { name: "registration", roles: &[PROXY, SBC] },
    Namespace { name: "rtpengine", roles: &[PROXY, SBC, PCSCF, SCSCF] },
    Namespace { name: "sdp", roles: &[PROXY, SBC, PCSCF, SCSCF] },
    Namespace { name: "b2bua", roles: &[SBC] },
    Namespace { name: "lcr", roles: &[SBC] },
    Namespace { name: "srs", roles: &[SBC] },
    Namespace { name: "presence", roles: &[PROXY, SBC, PCSCF, SCSCF] },
    Namespace { name: "stir", roles: &[PROXY, SBC] },
    Namespace { name: "numbers", roles: &[PROXY, SBC] },
    Namespace { name: "diameter", roles: &[PCSCF, ICSCF, SCSCF] },
    Namespace { name: "qos", roles: &[PCSCF] },
    Namespace { name: "ipsec", roles: &[PCSCF] },
    Namespace { name: "pcscf", roles: &[PCSCF] },
    Namespace { name: "icscf", roles: &[ICSCF] },
    Namespace { name: "scscf", roles: &[SCSCF] },
    Namespace { name: "sbi", roles: &[PCSCF, SCSCF] },
    Namespace { name: "isc", roles: &[SCSCF] },
    Namespace { name: "li", roles: &[LI] },
];

/// Namespaces that this version offers.
pub(crate) const BUILT: &[&str] = &["proxy", "registrar", "auth", "log", "timer", "cache", "metrics"];

/// Why `name` cannot be imported from `siphon` in `role`.
pub(crate) fn why_absent(name: &str, role: &str) -> String {
    let Some(namespace) = NAMESPACES.iter().find(|n| n.name == name) else {
        return match closest(name, BUILT.iter().copied()) {
            Some(near) => format!("siphon has no {name:?}; did you mean {near:?}?"),
            None => format!("siphon has no {name:?}"),
        };
    };
    if namespace.roles.contains(&role) {
        format!("'{name}' is not in this version of {role}")
    } else {
        format!("'{name}' is not available in {role} (available in: {})", namespace.roles.join(", "))
    }
}

/// The name among `known` that `name` is most likely meant to be.
pub(crate) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .filter(|(distance, k)| *distance <= 1 + k.len() / 5)
        .min()
        .map(|(_, k)| k)
}
