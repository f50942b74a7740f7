"""Floor 5, sockets: the HTTP server of `POST /moveFunds`, with uvicorn for all other requests."""
