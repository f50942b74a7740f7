"""Floor 1, telemetry: logs, metrics and traces, without knowledge of money."""
