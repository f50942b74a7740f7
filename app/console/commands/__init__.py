"""The console's commands, a file for each group: `wallet serve`, `wallet player …`, and so on."""
