"""Your own application: what a gateway process serves, how it is loaded, and how it runs."""
