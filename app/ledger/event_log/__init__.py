"""The event log: events are numbered in the order in which they can be seen, and read in pages."""
