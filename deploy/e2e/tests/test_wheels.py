"""What counts as a difference between a wheel and what is installed."""

from roomwire_e2e.wheels import differences

RELEASED = """\
board/app.py,sha256=aaa,1
board/page.py,sha256=bbb,2
board/dev/web/socket.io.esm.min.js,sha256=ccc,3
board-0.1.0.dist-info/METADATA,sha256=ddd,4
board-0.1.0.dist-info/RECORD,,
"""


def test_a_file_that_is_missing_or_another_is_named():
    installed = "board/app.py,sha256=zzz,1\nboard/more.py,sha256=bbb,2\n"

    assert ["board/app.py", "board/page.py"] == differences(RELEASED, installed)


def test_what_the_installer_adds_and_the_client_that_the_image_lacks_are_none():
    installed = "board-0.1.0.dist-info/INSTALLER,,\nboard/page.py,sha256=bbb,2\nboard/app.py,sha256=aaa,1\n"

    assert [] == differences(RELEASED, installed)
