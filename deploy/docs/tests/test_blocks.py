"""Each block of code in a document is run by a test, is checked, or says why it is neither."""

import ast
import json
import re
import tomllib

import blocks
import pytest
import yaml
from blocks import PAGES
from documents import ROOT

ROWS = blocks.table()
BLOCKS = [block for page in PAGES for block in blocks.blocks(page)]
PAGE = ROOT / "docs" / "page.md"


def named(page):
    return page.relative_to(ROOT).as_posix()


def of_language(language):
    found = [block for block in BLOCKS if block.language == language]
    return pytest.mark.parametrize("block", found, ids=str)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_each_block_is_run_or_checked_or_says_why_not(page):
    assert [] == [*map(str, blocks.unproved(blocks.blocks(page), ROWS.get(named(page), {})))]


def test_a_reason_is_a_sentence():
    assert [] == [str(block) for block in BLOCKS if block.excuse and len(block.excuse.split()) < 4]


@pytest.mark.parametrize(
    ("page", "mark", "test"), [(page, *row) for page in ROWS for row in ROWS[page].items()]
)
def test_a_row_of_the_table_names_one_block_and_a_test_that_there_is(page, mark, test):
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = ast.FunctionDef, ast.AsyncFunctionDef
    (block,) = blocks.marked(mark, blocks.blocks(ROOT / page))

    assert "" == block.excuse
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, functions)}


def test_a_block_that_nothing_proves_is_found():
    text = """```python
print()
```

<!-- not run: the reader has the server -->
```js
io()
```

1. In a list:

   ```
   what
   ```
"""
    found = blocks.blocks(PAGE, text)

    assert ["python", "js", ""] == [block.language for block in found]
    assert ["print()\n", "what\n"] == [block.code for block in blocks.unproved(found, {})]
    assert ["docs/page.md:12"] == [str(block) for block in blocks.unproved(found, {"print(": "a test"})]


def oldest_kubernetes():
    chart = yaml.safe_load((ROOT / "deploy/helm/roomwire/Chart.yaml").read_text(encoding="utf-8"))
    return re.fullmatch(r">=(\d+\.\d+)\.0-0", chart["kubeVersion"])[1]


@of_language("yaml")
def test_each_block_of_yaml_is_what_kubernetes_takes(block):
    import kubernetes_validate

    for document in yaml.safe_load_all(block.code):
        assert document
        if ".k8s.io/" in document.get("apiVersion", ""):
            kubernetes_validate.validate(document, oldest_kubernetes(), strict=True)


@of_language("toml")
def test_each_block_of_toml_can_be_read(block):
    assert tomllib.loads(block.code)


@of_language("json")
def test_each_block_of_json_can_be_read(block):
    assert json.loads(block.code)


def of_application(mark):
    (block,) = blocks.marked(mark, blocks.blocks(ROOT / "docs" / "application.md"))
    return [line.partition(" ")[::2] for line in block.code.splitlines()]


def of_base(word):
    """Return the arguments of the last instruction of a kind in the base image's Dockerfile."""
    text = (ROOT / "services/roomwire/Dockerfile").read_text(encoding="utf-8")
    return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(f"{word} ")][-1]


def test_the_pages_dockerfile_is_the_one_that_new_writes():
    written = ROOT / "services/roomwire/src/roomwire/app/commands/new_folder/Dockerfile.txt"
    project = tomllib.loads((ROOT / "services/roomwire/pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    text = written.read_text(encoding="utf-8")
    text = text.replace("$version", project["version"]).replace("$name", "board")

    assert [line.partition(" ")[::2] for line in text.splitlines()] == of_application("FROM roomwire-base")


def test_further_packages_are_installed_where_the_base_image_has_its_own():
    (root, run, user) = of_application("USER root")

    assert ("USER", "root") == root
    assert ("RUN", True) == (run[0], "--python /opt/roomwire/bin/python install" in run[1])
    assert "/opt/roomwire/bin/python" in (ROOT / "services/roomwire/Dockerfile").read_text(encoding="utf-8")
    assert ("USER", of_base("USER")) == user
