"""HTTP in front of a service: routes, limits, and a server that leaves politely."""
