"""Pictures in a student's text, through the converter that formgrader renders with."""

import json
import random
import re
from pathlib import Path

import pytest
from drawn import GIF, JPEG, encoded, png, png_that_says
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath

from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.pictures import Album, decoded
from gradlab_staff.intake.prose import SafeProse

RED = {"image/png": encoded(png((200, 0, 0)))}
PASTED = {"image.png": RED, "my plot (1).png": RED, "Bild ä.png": RED, "a%20b.png": RED}
SHOWN = re.compile(r'<img\b[^>]*?\ssrc="([^"]*)"')


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files beside a notebook."""
    folder = tmp_path_factory.mktemp("beside")
    files = {"plot.png": png(), "figures/two words.png": png(), "notes.png": b"text", "page.svg": b"<svg/>"}
    (folder / "figures").mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "linked.png").symlink_to("/etc/passwd")
    return {name: folder / name for name in (*files, "linked.png", "gone.png")}


def page(source: str, attachments: dict[str, dict[str, str]]) -> str:
    """What formgrader makes of it."""
    return MarkdownWithMath(renderer=IPythonRenderer(escape=False, attachments=attachments)).render(source)


def shown(source: str, beside: dict[str, Path]) -> list[str]:
    """The pictures of the page that is made of a student's text."""
    prose = SafeProse(beside)
    html = page(prose.add(source, PASTED), prose.attachments)
    found = SHOWN.findall(html)
    assert html.lower().count("<img") == len(found)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "![image.png](attachment:image.png)",
        "![](attachment:image.png)",
        '![a](attachment:image.png "a title")',
        "![a]( <attachment:image.png> 'a title' )",
        "![a](<attachment:my plot (1).png>)",
        "![a](attachment:my%20plot%20(1).png)",
        "![a](attachment:my%20plot%20%281%29.png)",
        "![a](attachment:Bild%20%C3%A4.png)",
        "![a](attachment:a%20b.png)",
        "![a](ATTACHMENT:image.png)",
        "![a](attachment&#58;image.png)",
        "![a](attachment:image\\.png)",
        "![a][pic]\n\n[pic]: attachment:image.png",
        "![pic][]\n\n[PIC]:\n <attachment:image.png> 'a title'",
        "![pic]\n\n> [pic]: attachment:image.png",
        "![two\nlines](attachment:image.png)",
        "![a [b] `c`](attachment:image.png)",
        "[![a](attachment:image.png)](http://example.com)",
        "- item\n\n  ![a](attachment:image.png)",
        "| a |\n|---|\n| ![a](attachment:image.png) |",
        '<img src="attachment:image.png" width="300">',
        "<p><IMG alt='a' width=300 src='attachment:image.png'/></p>",
        f"![a](data:image/png;base64,{RED['image/png']})",
        f'<img src="data:image/png;base64,{RED["image/png"]}">',
    ],
)
def test_a_picture_is_shown_however_it_is_written(source: str, beside: dict[str, Path]) -> None:
    """Pasted pictures, and those in the text itself, are part of the page."""
    assert shown(source, beside) == [f"data:image/png;base64,{RED['image/png']}"]


@pytest.mark.parametrize(
    ("source", "link"),
    [
        ("![a](plot.png)", "plot.png"),
        ("![a](./plot.png)", "plot.png"),
        ("<img src='plot.png' width=300>", "plot.png"),
        ("![a](figures/two%20words.png)", "figures/two%20words.png"),
        ("![a](<figures/two words.png>)", "figures/two%20words.png"),
    ],
)
def test_a_picture_beside_the_notebook_is_shown(source: str, link: str, beside: dict[str, Path]) -> None:
    """In formgrader from the file; on the feedback page, which stands alone, from the notebook."""
    assert shown(source, beside) == [link]
    prose = SafeProse(beside)
    prose.add(source, {})
    assert list(prose.attachments) == [link.replace("%20", " ")]


@pytest.mark.parametrize(
    "url",
    [
        "attachment:gone.png",
        "attachment:",
        "Attachment:gone.png",
        "http://example.com/x.png",
        "https://example.com/x.png",
        "//example.com/x.png",
        "\\\\example.com/x.png",
        "/hub/logout",
        "../../../hub/logout",
        "figures/../../x.png",
        "%2e%2e/x.png",
        "file:///etc/passwd",
        "ftp://example.com/x.png",
        "javascript:alert(1)",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:image/png;base64,AAAA",
        "data:text/html,x",
        "?logout",
        "#x",
        "notes.png",
        "page.svg",
        "linked.png",
        "gone.png",
        "unknown.png",
        "http&#58;//example.com/x.png",
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "![what it shows]({})",
        "![what it shows](<{}>)",
        '![what it shows]({} "t")',
        "![what it shows][r]\n\n[r]: {}",
        "![r][]\n\n[r]: {}",
        "![r]\n\n[r]: <{}>",
        '<img alt="what it shows" src="{}">',
        "<img src={}>",
        "`![what it shows]({})`",
        "```\n![what it shows]({})\n```",
        "![x ![what it shows]({}) y](plot.png)",
    ],
)
def test_what_is_not_there_or_not_here_is_text(form: str, url: str, beside: dict[str, Path]) -> None:
    """The page is made, asks no server for anything, and says what would have stood there."""
    prose = SafeProse(beside)
    source = prose.add(form.format(url), PASTED)
    html = page(source, prose.attachments)
    assert SHOWN.findall(html) in ([], ["plot.png"])
    if "what it shows" in form:
        assert "what it shows" in source


def test_without_it_formgrader_fails() -> None:
    """A missing attachment is an error of nbconvert's."""
    with pytest.raises(InvalidNotebook, match="missing attachment"):
        page("![a](attachment:gone.png)", {})


def test_a_plain_text_stays_as_it_is(beside: dict[str, Path]) -> None:
    """What Jupyter writes when a picture is pasted is not changed, nor is what holds none."""
    for source in ("See:\n\n![image.png](attachment:image.png)\n\n*Wow!* [1]", "Wow! [1] $n![k]$".replace("![", "! [")):
        assert SafeProse(beside).add(source, PASTED) == source


def test_pictures_of_one_name_are_two(beside: dict[str, Path]) -> None:
    """Jupyter calls every pasted picture image.png: cells that are joined may hold different ones."""
    blue = {"image/png": encoded(png((0, 0, 200)))}
    prose = SafeProse(beside)
    cells = [PASTED, {"image.png": blue}, PASTED, {"plot.png": blue}]
    text = "\n\n".join(
        prose.add(f"![a](attachment:{name})", cell)
        for cell, name in zip(cells, ["image.png", "image.png", "image.png", "plot.png"], strict=True)
    )
    pictures = [f"data:image/png;base64,{picture['image/png']}" for picture in (RED, blue, RED, blue)]
    assert SHOWN.findall(page(text, prose.attachments)) == pictures
    assert len(prose.attachments) == 2


PIECES = [
    "![", "](", ")", "[", "]", "!", "\\", "`", "```\n", "\n", "\n\n", "$", "$$", "<", ">", "> ", "- ", "| ", "    ",
    "attachment:", "image.png", "gone.png", "http://example.com/x.png", "/hub/logout", "../x.png", "plot.png", "alt",
    "[r]", "[r]: attachment:gone.png\n", "[r]: http://example.com/x.png\n", "<img src=", '"attachment:gone.png"',
    "![a](attachment:image.png)", "![a](attachment:gone.png)", "![a][r]", "![r]", "&#33;", "&#91;", '"t"', "\\\\[",
    "*", "\ue0000\ue001", "javascript:", "&#xe000;0&#xe001;", "![a](plot.png)", "<!--", "-->",
]  # fmt: skip


def test_no_text_is_read_in_two_ways(beside: dict[str, Path]) -> None:
    """Whatever is written, each picture of the page is part of it or lies beside the notebook, and it is made."""
    random.seed(231)
    for _ in range(1500):
        source = "".join(random.choices(PIECES, k=random.randint(2, 12)))
        for link in shown(source, beside):
            assert link == "plot.png" or link.startswith("data:image/png;base64,"), source


@pytest.mark.parametrize(
    "source",
    [
        "![" + "[a]" * 200_000,
        "![" * 900 + "[a]" * 100_000,
        ("![a](" + "\\a" * 900) * 900,
        '<img src="data:image/png;base64,' + "A" * 4_000_000,
        "<img" + ' "data:image/png;base64,AAAA"' * 30_000,
        "![a]\n" + "[a\n" * 200_000,
        "![a]\n" + "[a]: x y\n" * 200_000,
        "![" + "\\]" * 300_000,
        "![a](b)" * 100_000,
    ],
    ids=range(9),
)
def test_no_text_takes_long(source: str) -> None:
    """Links are looked for in time that grows with the text alone, and among thousands not at all."""
    assert "![" not in SafeProse().add(source, {})


def test_the_album_is_bounded() -> None:
    """In number, bytes and pixels; what is no picture takes no room."""
    album = Album(left=3, left_bytes=10_000, left_pixels=2_000_000)
    assert not album.add(b"text")
    assert not album.add(None)
    assert not album.add(b"")
    assert not album.add(png_that_says(10_000, 10_000))  # unpacks to 300 MB
    assert album.add(png_that_says(1000, 1000))
    assert not album.add(png_that_says(1500, 1500))
    assert not album.add(png(width=10) + b"x" * 10_000)
    assert [next(iter(album.add(picture))) for picture in (JPEG, GIF)] == ["image/jpeg", "image/gif"]
    assert not album.add(png())


def test_base64_is_bounded() -> None:
    """What is too large is not decoded, and what is none is nothing."""
    assert decoded("A" * 8, limit=1_000) == b"\0" * 6
    assert decoded("A" * 10_000, limit=1_000) is None
    assert decoded("A" * 2_000, limit=1_000) is None
    assert decoded("A") is None
    assert decoded("ä") is None


def test_attachments_of_a_notebook(tmp_path: Path) -> None:
    """Pictures are kept by their names, in the type that they are; whatever else stands there is dropped."""
    raw = {
        "right.png": {"image/png": encoded(png())},
        "lines.png": {"image/png": [line + "\n" for line in re.findall(".{1,76}", encoded(png()))]},
        "really.png": {"image/png": encoded(JPEG)},
        "second.gif": {"image/webp": "AAAA", "image/gif": encoded(GIF)},
        "evil.svg": {"image/svg+xml": encoded(b"<svg onload='alert(1)'/>")},
        "page.html": {"text/html": "<script>"},
        "bomb.png": {"image/png": encoded(png_that_says(65_000, 65_000))},
        "odd.png": {"image/png": 3},
        "odder.png": ["image/png"],
        "empty.png": {},
    }
    cell = {"cell_type": "markdown", "metadata": {}, "source": "", "attachments": raw}
    odd = [{**cell, "attachments": attachments} for attachments in ([], "x", None, 3, {3: 4})]
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell, *odd]}))
    first, *others = open_notebook(path).cells
    types = {name: next(iter(picture)) for name, picture in first.attachments.items()}
    assert types == {
        "right.png": "image/png",
        "lines.png": "image/png",
        "really.png": "image/jpeg",
        "second.gif": "image/gif",
    }
    assert first.attachments["right.png"] == first.attachments["lines.png"]
    assert not any(cell.attachments for cell in others)


LINKS = ["[a](notes.html)", "[a][1]\n\n[1]: notes.html", "[a](/hub/logout)", "[a](//x/y 'title')", "[a]( <n b.html> )"]
LINKS += ["[1]: notes.html\n\n[1]", "[![image.png](attachment:image.png)](notes.html)", "[a](<javascript:alert(1)>)"]


@pytest.mark.parametrize("source", LINKS)
def test_no_words_lead_anywhere(source: str, beside: dict[str, Path]) -> None:
    """A page beside the notebook would be opened with the rights of the TA; addresses are shown as they are written."""
    prose = SafeProse(beside)
    made = page(prose.add(source, PASTED), prose.attachments)
    assert "<a" not in made
    assert len(SHOWN.findall(made)) == source.count("attachment:")
