//! What a handler gets raised when its transaction is over.

use pyo3::exceptions::PyRuntimeError;

pyo3::create_exception!(
    siphon,
    TransactionEnded,
    PyRuntimeError,
    "Raised by a verb after the transaction ended while the handler was parked: nothing it decides has an effect."
);
pyo3::create_exception!(
    siphon,
    MediaError,
    PyRuntimeError,
    "Raised by a call of `rtpengine` that no media engine did: it refused, did not answer in time, or none is up."
);
pyo3::create_exception!(
    siphon,
    Cancelled,
    pyo3::exceptions::PyException,
    "Raised at an `await` when the client cancelled, or the transaction ended otherwise (RFC 3261 9)."
);
