"""The HTTP side: what is served at which path, and the server that serves it."""
