"""The pages on which engineers read and try the contracts in a browser."""
