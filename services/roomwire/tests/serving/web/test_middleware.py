"""The limit of bodies."""

from roomwire.serving.web.middleware import BodyLimit


async def test_a_client_that_leaves_amid_its_body_is_not_served():
    messages = [{"type": "http.disconnect"}, {"type": "http.request", "body": b"{", "more_body": True}]
    served = []

    async def receive():
        return messages.pop()

    async def serve(*_):
        served.append(True)

    await BodyLimit(serve, max_body_bytes=10)({"type": "http", "headers": []}, receive, None)

    assert served == []


async def test_what_is_no_http_passes_the_limit_untouched():
    served = []

    async def serve(*arguments):
        served.append(arguments)

    scope = {"type": "websocket"}
    await BodyLimit(serve, max_body_bytes=10)(scope, "receive", "send")

    assert served == [(scope, "receive", "send")]
