"""How the console speaks: tables and sentences for people, JSON for programs."""
