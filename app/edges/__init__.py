"""Floor 4, contracts we do not own: bytes in, bytes out. HTTP lives here and nowhere below."""
