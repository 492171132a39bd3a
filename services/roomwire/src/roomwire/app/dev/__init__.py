"""`roomwire dev`: an application on this machine, restarted when a file changes, with a console in the browser.

The supervising process holds the ports and the console. The application runs in a child process (`child`), so that a faulty change
leaves the rest alive. Everything here listens on loopback only.
"""
