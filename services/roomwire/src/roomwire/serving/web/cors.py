"""Decides which pages may read an API's answers: Starlette's CORS, with our own comparison of origins."""

from starlette.middleware.cors import CORSMiddleware

from roomwire.protocol.origins import is_listed


class Cors(CORSMiddleware):
    """`CORSMiddleware` that compares origins as `roomwire.protocol.origins` does, as the gateways do."""

    def is_allowed_origin(self, origin: str) -> bool:
        """See `CORSMiddleware`."""
        return self.allow_all_origins or is_listed(origin, self.allow_origins)
