"""What an aggregator says, held against the journal: files, profiles, verdicts, repairs."""
