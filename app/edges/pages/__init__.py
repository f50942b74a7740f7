"""The pages on which a person reads the contracts; they are read by nobody's machine."""
