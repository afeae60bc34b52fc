//! What the tests share: processes, ports, temporary folders, and SIP text as a peer sees it.
