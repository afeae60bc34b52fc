//! Two baresip phones with sound: each plays a tone of its own, records what it hears, and calls through the subject.
