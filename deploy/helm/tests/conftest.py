"""The chart's tests need Helm."""

import pytest
from chart import HELM
from needs import need


@pytest.fixture(autouse=True, scope="session")
def helm(starts_servers):
    need(HELM, "helm, whose wheel is for Linux on x86-64: put your own on the PATH")
