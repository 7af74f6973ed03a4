"""Real servers, real clients, real brokers: each test starts and stops its own on loopback."""
