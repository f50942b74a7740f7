"""Statements and reports: rows of the journal as text, and a manifest that proves them."""
