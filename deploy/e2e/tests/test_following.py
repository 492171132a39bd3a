"""What of the README's lines for a cluster is understood."""

import pytest

from roomwire_e2e.cluster import ClusterError
from roomwire_e2e.following import image_of, name_of
from roomwire_e2e.readme import readme


def test_the_readmes_lines_for_the_image_and_the_release_are_understood():
    build, install, _ = readme().blocks[-1]

    assert ("REGISTRY/board:0.1.0", "board") == (image_of(build), name_of(install))


@pytest.mark.parametrize(("read", "line"), [(image_of, "docker push it"), (name_of, "helm test board")])
def test_another_line_is_refused(read, line):
    with pytest.raises(ClusterError, match=f"no line that .*: {line}"):
        read(line)
