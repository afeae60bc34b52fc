//! Request methods (IANA "SIP Methods").

use std::fmt;

macro_rules! methods {
    ($($variant:ident $name:literal $doc:literal),+ $(,)?) => {
        /// A request method this library knows by name. Methods are case-sensitive (RFC 3261 7.1).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
        pub enum Method {
            $(#[doc = $doc] $variant,)+
            /// Any other; its name is kept in the message.
            #[default]
            Other,
        }

        impl Method {
            /// Every named method.
            pub const ALL: &'static [Method] = &[$(Method::$variant),+];

            /// The method of that name.
            pub fn from_name(name: &str) -> Self {
                Self::from_bytes(name.as_bytes())
            }

            pub(super) fn from_bytes(name: &[u8]) -> Self {
                $(if name == $name.as_bytes() { return Method::$variant; })+
                Method::Other
            }

            /// The name on the wire; empty for [`Method::Other`].
            pub const fn name(self) -> &'static str {
                match self {
                    $(Method::$variant => $name,)+
                    Method::Other => "",
                }
            }
        }
    };
}

methods! {
    Invite "INVITE" "RFC 3261 13.",
    Ack "ACK" "RFC 3261 13.",
    Bye "BYE" "RFC 3261 15.",
    Cancel "CANCEL" "RFC 3261 9.",
    Register "REGISTER" "RFC 3261 10.",
    Options "OPTIONS" "RFC 3261 11.",
    Prack "PRACK" "RFC 3262.",
    Subscribe "SUBSCRIBE" "RFC 6665.",
    Notify "NOTIFY" "RFC 6665.",
    Publish "PUBLISH" "RFC 3903.",
    Info "INFO" "RFC 6086.",
    Refer "REFER" "RFC 3515.",
    Message "MESSAGE" "RFC 3428.",
    Update "UPDATE" "RFC 3311.",
}

impl Method {
    /// Whether a 101-299 response to it can make a dialog (RFC 3261 12, RFC 6665, RFC 3515).
    pub const fn forms_dialog(self) -> bool {
        matches!(self, Method::Invite | Method::Subscribe | Method::Refer | Method::Notify)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
