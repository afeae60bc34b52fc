//! Header field names (IANA "SIP Header Fields"), their compact forms (RFC 3261 7.3.3) and how often each may occur.

use std::fmt;

/// How often a header field may occur, and whether commas separate values in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Occurs {
    /// `#` rule: several fields and one field with commas mean the same (RFC 3261 7.3.1).
    List,
    /// A second one is an error that is refused.
    Once,
    /// Commas are part of the value; repetition is kept as it is.
    Free,
}

macro_rules! headers {
    ($($variant:ident $name:literal $compact:literal $occurs:ident,)+) => {
        /// A header field this library knows by name.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum HeaderId {
            $(#[doc = concat!("`", $name, "`")] $variant,)+
            /// Any other; its name is kept in the message.
            Other,
        }

        impl HeaderId {
            /// Every named header field, in alphabetical order.
            pub const ALL: &'static [HeaderId] = &[$(HeaderId::$variant),+];
        }

        const ROWS: &[(&str, &str, Occurs)] = &[$(($name, $compact, Occurs::$occurs)),+];
    };
}

headers! {
    Accept "Accept" "" List,
    AcceptContact "Accept-Contact" "a" List,
    AcceptEncoding "Accept-Encoding" "" List,
    AcceptLanguage "Accept-Language" "" List,
    AcceptResourcePriority "Accept-Resource-Priority" "" List,
    AlertInfo "Alert-Info" "" List,
    Allow "Allow" "" List,
    AllowEvents "Allow-Events" "u" List,
    AnswerMode "Answer-Mode" "" Free,
    AuthenticationInfo "Authentication-Info" "" Free,
    Authorization "Authorization" "" Free,
    CallId "Call-ID" "i" Once,
    CallInfo "Call-Info" "" List,
    Contact "Contact" "m" List,
    ContentDisposition "Content-Disposition" "" Once,
    ContentEncoding "Content-Encoding" "e" List,
    ContentLanguage "Content-Language" "" List,
    ContentLength "Content-Length" "l" Once,
    ContentType "Content-Type" "c" Once,
    CSeq "CSeq" "" Once,
    Date "Date" "" Free,
    Diversion "Diversion" "" List,
    ErrorInfo "Error-Info" "" List,
    Event "Event" "o" Once,
    Expires "Expires" "" Once,
    FeatureCaps "Feature-Caps" "" List,
    FlowTimer "Flow-Timer" "" Once,
    From "From" "f" Once,
    Geolocation "Geolocation" "" List,
    GeolocationError "Geolocation-Error" "" Free,
    GeolocationRouting "Geolocation-Routing" "" Free,
    HistoryInfo "History-Info" "" List,
    Identity "Identity" "y" Free,
    IdentityInfo "Identity-Info" "n" Free,
    InfoPackage "Info-Package" "" Once,
    InReplyTo "In-Reply-To" "" List,
    Join "Join" "" Once,
    MaxBreadth "Max-Breadth" "" Once,
    MaxForwards "Max-Forwards" "" Once,
    MimeVersion "MIME-Version" "" Once,
    MinExpires "Min-Expires" "" Once,
    MinSe "Min-SE" "" Once,
    Organization "Organization" "" Free,
    PAccessNetworkInfo "P-Access-Network-Info" "" List,
    PAnswerState "P-Answer-State" "" Free,
    PAssertedIdentity "P-Asserted-Identity" "" List,
    PAssertedService "P-Asserted-Service" "" List,
    PAssociatedUri "P-Associated-URI" "" List,
    PCalledPartyId "P-Called-Party-ID" "" Free,
    PChargingFunctionAddresses "P-Charging-Function-Addresses" "" List,
    PChargingVector "P-Charging-Vector" "" Free,
    PDcsBillingInfo "P-DCS-Billing-Info" "" Free,
    PEarlyMedia "P-Early-Media" "" Free,
    PMediaAuthorization "P-Media-Authorization" "" List,
    PPreferredIdentity "P-Preferred-Identity" "" List,
    PPreferredService "P-Preferred-Service" "" List,
    PPrivateNetworkIndication "P-Private-Network-Indication" "" Free,
    PProfileKey "P-Profile-Key" "" Free,
    PRefusedUriList "P-Refused-URI-List" "" List,
    PServedUser "P-Served-User" "" Free,
    PUserDatabase "P-User-Database" "" Free,
    PVisitedNetworkId "P-Visited-Network-ID" "" List,
    Path "Path" "" List,
    PermissionMissing "Permission-Missing" "" List,
    PolicyContact "Policy-Contact" "" List,
    PolicyId "Policy-ID" "" Free,
    Priority "Priority" "" Free,
    PrivAnswerMode "Priv-Answer-Mode" "" Free,
    Privacy "Privacy" "" Free,
    ProxyAuthenticate "Proxy-Authenticate" "" Free,
    ProxyAuthorization "Proxy-Authorization" "" Free,
    ProxyRequire "Proxy-Require" "" List,
    RAck "RAck" "" Once,
    Reason "Reason" "" List,
    RecordRoute "Record-Route" "" List,
    RecvInfo "Recv-Info" "" List,
    ReferSub "Refer-Sub" "" Free,
    ReferTo "Refer-To" "r" Once,
    ReferredBy "Referred-By" "b" Free,
    RejectContact "Reject-Contact" "j" List,
    RemotePartyId "Remote-Party-ID" "" List,
    Replaces "Replaces" "" Once,
    ReplyTo "Reply-To" "" Free,
    RequestDisposition "Request-Disposition" "d" List,
    Require "Require" "" List,
    ResourcePriority "Resource-Priority" "" List,
    RetryAfter "Retry-After" "" Free,
    Route "Route" "" List,
    RSeq "RSeq" "" Once,
    SecurityClient "Security-Client" "" List,
    SecurityServer "Security-Server" "" List,
    SecurityVerify "Security-Verify" "" List,
    Server "Server" "" Free,
    ServiceRoute "Service-Route" "" List,
    SessionExpires "Session-Expires" "x" Once,
    SessionId "Session-ID" "" Free,
    SipETag "SIP-ETag" "" Once,
    SipIfMatch "SIP-If-Match" "" Once,
    Subject "Subject" "s" Free,
    SubscriptionState "Subscription-State" "" Once,
    Supported "Supported" "k" List,
    SuppressIfMatch "Suppress-If-Match" "" Once,
    TargetDialog "Target-Dialog" "" Once,
    Timestamp "Timestamp" "" Free,
    To "To" "t" Once,
    TriggerConsent "Trigger-Consent" "" List,
    Unsupported "Unsupported" "" List,
    UserAgent "User-Agent" "" Free,
    UserToUser "User-to-User" "" List,
    Via "Via" "v" List,
    Warning "Warning" "" List,
    WwwAuthenticate "WWW-Authenticate" "" Free,
}

const SLOTS: usize = 1024;

/// Length and four characters, case folded, tell all names apart; [`TABLE`] fails to build when they do not.
/// Octets outside the name read as 0, and nothing here can overflow in a way that matters.
const fn slot(name: &[u8]) -> usize {
    let n = name.len();
    let mix = n
        .wrapping_mul(2407)
        .wrapping_add(folded(name, 0).wrapping_mul(559))
        .wrapping_add(folded(name, n.wrapping_sub(1)).wrapping_mul(3475))
        .wrapping_add(folded(name, n / 2).wrapping_mul(3071))
        .wrapping_add(folded(name, n.wrapping_mul(3) / 4).wrapping_mul(1538));
    (mix >> 4) & (SLOTS - 1)
}

/// Letters in lower case; other octets as something that is the same for the same octet.
const fn folded(name: &[u8], at: usize) -> usize {
    if at < name.len() { (name[at] | 0x20) as usize } else { 0 }
}

const FREE: u8 = u8::MAX;

/// Slot to row number; bit 7 marks the compact form.
const TABLE: [u8; SLOTS] = {
    let mut table = [FREE; SLOTS];
    let mut row = 0;
    while row < ROWS.len() {
        let long = slot(ROWS[row].0.as_bytes());
        assert!(table[long] == FREE, "two header field names share a slot: choose other multipliers");
        table[long] = row as u8;
        let compact = ROWS[row].1.as_bytes();
        if !compact.is_empty() {
            let short = slot(compact);
            assert!(table[short] == FREE, "two header field names share a slot: choose other multipliers");
            table[short] = row as u8 | 0x80;
        }
        row += 1;
    }
    table
};

/// Longest name in [`ROWS`]; a longer one is [`HeaderId::Other`] without a look.
const LONGEST: usize = 32;

impl HeaderId {
    /// The header field of that name, in any case, long or compact.
    pub fn from_name(name: &str) -> Self {
        Self::from_bytes(name.as_bytes())
    }

    #[inline]
    pub(super) fn from_bytes(name: &[u8]) -> Self {
        if name.is_empty() || name.len() > LONGEST {
            return HeaderId::Other;
        }
        let Some(&row) = TABLE.get(slot(name)) else { return HeaderId::Other };
        if row == FREE {
            return HeaderId::Other;
        }
        let index = usize::from(row & 0x7f);
        let known = ROWS.get(index).map_or("", |r| if row & 0x80 == 0 { r.0 } else { r.1 });
        // Most are spelled as the registry has them.
        if name != known.as_bytes() && !name.eq_ignore_ascii_case(known.as_bytes()) {
            return HeaderId::Other;
        }
        Self::ALL.get(index).copied().unwrap_or(HeaderId::Other)
    }

    /// The long spelling; empty for [`HeaderId::Other`].
    pub fn name(self) -> &'static str {
        self.row().map_or("", |r| r.0)
    }

    /// The one-letter spelling, where there is one.
    pub fn compact(self) -> Option<&'static str> {
        self.row().map(|r| r.1).filter(|c| !c.is_empty())
    }

    /// Whether commas separate values. The authentication header fields are not lists, although they hold commas.
    pub fn is_list(self) -> bool {
        self.row().is_some_and(|r| r.2 == Occurs::List)
    }

    /// Whether a message with two of them is refused.
    pub fn is_single(self) -> bool {
        self.row().is_some_and(|r| r.2 == Occurs::Once)
    }

    /// One bit per name, for sets of header fields. [`HeaderId::Other`] has the highest.
    pub(super) const fn bit(self) -> u128 {
        1 << (self as u8 & 0x7f)
    }

    fn row(self) -> Option<&'static (&'static str, &'static str, Occurs)> {
        ROWS.get(self as usize)
    }
}

impl fmt::Display for HeaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const _: () = assert!(ROWS.len() < 127, "a header set is 128 bits, and TABLE keeps bit 7");
