"""`roomwire dev`: an application on this machine, restarted when a file changes, with a console in the browser.

The supervising process holds the ports and the console; the application runs in a child process (`child`), so that a change
which fails leaves the rest alive. Everything here listens on loopback alone.
"""
