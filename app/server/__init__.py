"""Floor 5, sockets: the HTTP server of `POST /moveFunds`, and uvicorn for everything else."""
