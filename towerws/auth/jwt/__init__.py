"""The scheme ``jwt``: a token that an issuer has signed says who the client is."""
