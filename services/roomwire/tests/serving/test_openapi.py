"""That what an OpenAPI document promises and a service does not keep is seen, by few examples too."""

import pytest
from live import served
from openapi import FEW, TEST_TIME_S, broken_promises
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

ANSWER = {
    "description": "A number.",
    "content": {"application/json": {"schema": {"type": "integer"}}},
}
REFUSED = {"description": "No number."}
NUMBER = {"name": "number", "in": "query", "required": True, "schema": {"type": "integer", "minimum": 1}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Numbers", "version": "1"},
    "paths": {"/number": {"get": {"parameters": [NUMBER], "responses": {"200": ANSWER, "400": REFUSED}}}},
}


def honest(request):
    given = request.query_params.getlist("number")
    if len(given) == 1 and given[0].isascii() and given[0].isdigit() and int(given[0]) > 0:
        return JSONResponse(1)
    return PlainTextResponse("no number", 400)


HANDLERS = [
    pytest.param(honest, True, id="kept"),
    pytest.param(lambda _: JSONResponse(1), False, id="takes what it should refuse"),
    pytest.param(lambda _: JSONResponse("1"), False, id="answers in another shape"),
    pytest.param(lambda _: JSONResponse(1, 201), False, id="answers by another status"),
    pytest.param(lambda _: JSONResponse(1, 500), False, id="fails"),
]


@pytest.mark.timeout(TEST_TIME_S)
@pytest.mark.parametrize(("handler", "kept"), HANDLERS)
async def test_a_broken_promise_is_seen(handler, kept, tmp_path):
    routes = [Route("/number", handler), Route("/openapi.json", lambda _: JSONResponse(DOCUMENT))]
    async with served(Starlette(routes=routes)) as address:
        broken = await broken_promises(f"http://{address}/openapi.json", tmp_path, examples=FEW)

    assert kept is not bool(broken), broken


@pytest.mark.timeout(TEST_TIME_S)
async def test_a_document_without_operations_is_no_proof(tmp_path):
    routes = [Route("/openapi.json", lambda _: JSONResponse(DOCUMENT | {"paths": {}}))]
    async with served(Starlette(routes=routes)) as address:
        assert await broken_promises(f"http://{address}/openapi.json", tmp_path, examples=FEW)
