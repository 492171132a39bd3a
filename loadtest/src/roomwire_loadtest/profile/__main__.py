"""`python -m roomwire_loadtest.profile`: see `flame`."""

import sys

from roomwire_loadtest.profile.flame import main

sys.exit(main())
