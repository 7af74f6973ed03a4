"""Listening and connecting: sockets, TLS, and whom both reach."""
