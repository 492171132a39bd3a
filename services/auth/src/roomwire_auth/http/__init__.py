"""The HTTP API: its routes, bodies and page, and whose request it is. What the routes do stands in the packages below."""
