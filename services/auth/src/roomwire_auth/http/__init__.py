"""The HTTP API: its routes, bodies and page, and the caller of a request. The packages below do the work of the routes."""
