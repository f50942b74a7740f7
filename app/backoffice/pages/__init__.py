"""The pages: one file a subject, each a function of the call."""
