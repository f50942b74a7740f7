"""Floor 4, the external contracts: bytes in, bytes out. HTTP is known here and nowhere below."""
