"""The lines of the README that tests follow."""

import pytest

from roomwire_e2e.readme import Lines, readme, written

DOCUMENT = """
# It

## An application of your own

Do this:

```sh
one  # a comment
two
```

```python
three
```

```sh
four
```

## Another

```sh
five
```
"""


def test_the_lines_are_those_of_the_sections_blocks_for_the_shell():
    assert [["one  # a comment", "two"], ["four"]] == Lines(DOCUMENT).blocks


def test_the_words_are_all_that_stand_in_the_section():
    shown = DOCUMENT.split()
    others = [
        "#",
        "It",
        "##",
        "An",
        "application",
        "of",
        "your",
        "own",
        "##",
        "Another",
        "```sh",
        "five",
        "```",
    ]

    assert len(shown) - len(others) == Lines(DOCUMENT).words


def test_without_the_section_there_are_no_lines():
    with pytest.raises(ValueError, match="not enough values"):
        Lines("# It\n")


def test_the_readmes_lines_begin_in_an_empty_folder_and_end_on_a_cluster():
    here, terminals, cluster = readme().blocks

    assert ("python3 -m venv", "roomwire up") == (here[0][:15], here[-1][:11])
    assert ["tail", "tail"] == [line.split()[1] for line in terminals]
    assert [["docker", "build"], ["helm", "install"], ["helm", "test"]] == [
        line.split()[:2] for line in cluster
    ]


def test_a_reader_writes_something_in_place_of_words():
    assert "pip install /dist/*.whl" == written("pip install DIST/*.whl", {"DIST": "/dist", "REGISTRY": "x"})
