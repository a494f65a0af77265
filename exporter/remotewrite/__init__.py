"""Remote write: each settled hour is sent once to a Prometheus-like receiver, stamped with its own time."""
