"""The contract of an application: what its clients may send and what they receive, and which change of it breaks them.

`surface` reads the application, `document` writes AsyncAPI of it, `typescript` makes types of that, and `comparison` compares two
documents. Nothing of the application runs but its import.
"""
