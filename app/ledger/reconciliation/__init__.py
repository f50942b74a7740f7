"""The SQL of reconciliation: a report staged, compared set by set, and what was found kept."""
