"""Shows costs and plans: tables, a picture, and the marked parts of documents."""
