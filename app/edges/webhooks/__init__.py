"""Webhooks: what the event log tells, sent to the operators' endpoints."""
