//! Where the node listens and what it calls itself: `listen`, `advertised_address`, `domain` (RFC 3261 18, 19.1).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::address::{Endpoint, HostPort};

/// Sockets to listen on, by transport.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// UDP listeners (RFC 3261 18), each `"address:port"` or `{address, advertise}`. Port 0 lets the kernel choose.
    pub udp: Vec<Listener>,
    /// TCP listeners (RFC 3261 18), each `"address:port"` or `{address, advertise}`.
    pub tcp: Vec<Listener>,
    /// Path MTU in bytes. A request larger than this minus 200 leaves over TCP where the peer takes it
    /// (RFC 3261 18.1.1). Default 1500, which is the RFC's 1300 for an unknown path.
    #[schemars(range(min = 576, max = 65535))]
    pub mtu: u16,
}

impl Default for Listen {
    fn default() -> Self {
        Self { udp: Vec::new(), tcp: Vec::new(), mtu: 1500 }
    }
}

/// One listening socket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listener {
    /// What to bind.
    pub address: Endpoint,
    /// What Via, Record-Route and Contact say instead of the bound address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise: Option<HostPort>,
}

/// The long form of a listener.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Long {
    /// IP address and port to bind.
    address: Endpoint,
    /// Host, or host and port, that Via, Record-Route and Contact name in place of the bound address.
    /// Default: `advertised_address`, else the bound address.
    #[serde(default)]
    advertise: Option<HostPort>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Short(Endpoint),
    Long(Long),
}

impl<'de> Deserialize<'de> for Listener {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(match Either::deserialize(d)? {
            Either::Short(address) => Self { address, advertise: None },
            Either::Long(Long { address, advertise }) => Self { address, advertise },
        })
    }
}

impl JsonSchema for Listener {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Listener".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let short = generator.subschema_for::<Endpoint>();
        let long = generator.subschema_for::<Long>();
        json_schema!({ "anyOf": [short, long] })
    }
}

/// The domains this node is responsible for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Domain {
    /// Names that `is_local` answers true for (RFC 3261 16.5). An entry with a port matches that port only,
    /// one without a port any. The node's own listening and advertised addresses are always local.
    pub local: Vec<HostPort>,
}
