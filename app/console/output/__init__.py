"""The console's output: tables and sentences for people, JSON for programs."""
