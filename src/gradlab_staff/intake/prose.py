"""A student's markdown, made safe for the pages that show it, with the pictures that it may show."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from gradlab_staff.intake.files import read_file
from gradlab_staff.intake.pictures import MAX_PICTURE_BYTES, Album, decoded
from gradlab_staff.text import CONTROL, one_line

__all__ = ["SafeProse", "safe_prose"]

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_GAP = r"[\s\\]*"  # what a browser or markdown drops from the middle of a link
_SCRIPT_LINK = re.compile(f"({_GAP.join('javascript')}|{_GAP.join('vbscript')})(?={_GAP}:)", re.IGNORECASE)

# with these MathJax writes attributes and links
_TEX_LINK = re.compile(r"\\(?=href|class|style|cssId|require|mmlToken)")

# The ways to write a picture. Each part is bounded, so that no text takes long to search.
_ALT = r"(?:[^\[\]\\]|\\.|\[[^\[\]]{0,200}\]){0,500}"
_DATA = r"data:image/[\w.+-]{1,40};base64,[A-Za-z0-9+/]+={0,2}"
_URL = rf"{_DATA}|<[^<>\n]{{1,1000}}>|(?:[^\s()<>\\]|\\[^\s]|\([^\s()<>]{{0,200}}\)){{1,1000}}"
_SHORT = r"(?!data:)[^\"'<>]{0,1000}"
_TITLE = r"""(?:\s{1,20}(?:"[^"]{0,500}"|'[^']{0,500}'|\([^()]{0,500}\)))?"""
_PICTURE = re.compile(
    rf"!\[(?P<alt>{_ALT})\](?:\(\s{{0,20}}(?P<url>{_URL}){_TITLE}\s{{0,20}}\)|\[(?P<ref>[^\[\]]{{0,200}})\])?"
    rf"|<img(?P<tag>(?:\s|/)(?:[^<>\"']|\"(?:{_DATA}|{_SHORT})\"|'(?:{_DATA}|{_SHORT})'){{0,200}})>",
    re.IGNORECASE,
)
_START = re.compile(r"!\[|<img", re.IGNORECASE)
_DEFINITION = re.compile(
    rf"^[ >\t]{{0,20}}\[(?P<ref>[^\[\]]{{1,200}})\]:[ \t]{{0,20}}\n?[ \t]{{0,20}}(?P<url>{_URL})(?=\s|$)",
    re.MULTILINE | re.IGNORECASE,
)
_ATTRIBUTE = r"""\s{name}\s{{0,20}}=\s{{0,20}}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"""
_SRC, _TAG_ALT = (re.compile(_ATTRIBUTE.format(name=name), re.IGNORECASE) for name in ("src", "alt"))
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_ODD_IN_ALT = re.compile(r"[^\w .,:;+=()#%/-]")
_KEPT = re.compile("\ue000(\\d{1,6})\ue001")  # the place of a picture while the text around it is made safe
_SCHEME = "attachment:"


def safe_prose(source: str) -> str:
    """Return a student's markdown so that nothing in it is an HTML tag or a script link, and it reads as it did.

    formgrader puts raw HTML of a markdown cell into its page, where it could act with the rights of the TA.

    >>> safe_prose("a <b> c")
    'a < b> c'
    """
    text = plain = CONTROL.sub("", source)
    for _ in range(3):  # as often as anything between here and the page could
        plain = html.unescape(plain)
    if _SCRIPT_LINK.search(plain):  # its letters or its colon may be entities: then none is left
        text = CONTROL.sub("", plain).replace("&", "\N{FULLWIDTH AMPERSAND}")
    return _SCRIPT_LINK.sub(r"\1 ", _TEX_LINK.sub(r"\\ ", _TAG.sub("< ", text)))


@dataclass
class SafeProse:
    """The text of one cell of ``autograded/`` and its attachments, gathered from one or more cells of a student's.

    A page that shows the text asks no server for anything: the only pictures in it are attachments that are there, and
    files that lie beside the notebook. nbconvert, and so formgrader, answers HTTP 500 for a notebook with a link to an
    attachment that is not there. Every picture that is kept is written in one plain way, ``![alt](attachment:name)``,
    whichever way the student wrote it; every other ``![`` is none any more, nor is any link. So the text cannot be read
    in two ways.
    """

    beside: Mapping[str, Path] = field(default_factory=dict)
    album: Album = field(default_factory=Album)
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, source: str, attachments: Mapping[str, dict[str, str]]) -> str:
        """Return a student's markdown made safe, and take its pictures: pasted, in the text, and beside it."""
        source = CONTROL.sub("", source).replace("\ue000", "").replace("\ue001", "")
        if not self.album.looks_for(len(_START.findall(source))):
            return _without_links(safe_prose(source))
        definitions = {_label(found["ref"]): found["url"] for found in _DEFINITION.finditer(source)}
        kept: list[str] = []

        def shown(found: re.Match[str]) -> str:
            alt, url = _alt_and_url(found, definitions)
            if not url:
                return found[0]
            link = self._link(_address(url), attachments)
            if link:
                kept.append(f"![{_ODD_IN_ALT.sub(' ', alt)}]({link})")
                return f"\ue000{len(kept) - 1}\ue001"
            return found[0] if found["tag"] else _refused(alt, url)

        text = _without_links(safe_prose(_PICTURE.sub(shown, source)))
        return _KEPT.sub(lambda place: kept[int(place[1])] if int(place[1]) < len(kept) else "", text)

    def _link(self, url: str, attachments: Mapping[str, dict[str, str]]) -> str:
        """Return the link to write; none where there is no such picture."""
        if url[: len(_SCHEME)].lower() == _SCHEME:
            name = url[len(_SCHEME) :]
            return self._attached(name, _found(attachments, name))
        if url[:5].lower() == "data:":
            return self._attached("", self.album.add(decoded(url.partition(",")[2])))
        name = unquote(url).removeprefix("./")
        if name not in self.beside or ".." in name.split("/"):
            return ""
        if name not in self.attachments:  # for the feedback page, which stands alone
            picture = self._read(self.beside[name])
            if not picture:
                return ""
            self.attachments[name] = picture
        return quote(name)

    def _read(self, path: Path) -> dict[str, str]:
        with contextlib.suppress(OSError, ValueError):
            return self.album.add(read_file(path, MAX_PICTURE_BYTES))
        return {}

    def _attached(self, name: str, picture: dict[str, str]) -> str:
        """Return the link to a picture that is attached under its name, or where that is odd or taken, another."""
        if not picture:
            return ""
        same = next((name for name, other in self.attachments.items() if other == picture), "")
        if not same:
            extension = next(iter(picture)).removeprefix("image/")
            free = bool(_PLAIN_NAME.fullmatch(name)) and name not in self.attachments and name not in self.beside
            same = name if free else f"picture-{len(self.attachments) + 1}.{extension}"
            while same in self.attachments or same in self.beside:
                same = f"another-{same}"
            self.attachments[same] = picture
        return f"{_SCHEME}{same}"


def _without_links(text: str) -> str:
    """Return markdown in which no words lead anywhere: the address of a link stands beside them, for people to see.

    What lies beside the notebook is served to the TA from formgrader's own address: a page of the student's would act
    with the rights of the TA who clicks on it.
    """
    return text.replace("![", "! [").replace("](", "] (").replace("]:", "] :")


def _alt_and_url(found: re.Match[str], definitions: Mapping[str, str]) -> tuple[str, str]:
    """Return what a picture is called, and its link as it is written; no link where it has none."""
    if found["tag"]:
        source, alt = _SRC.search(found["tag"]), _TAG_ALT.search(found["tag"])
        return (next(filter(None, alt.groups()), "") if alt else ""), (
            next(filter(None, source.groups()), "") if source else ""
        )
    return found["alt"], found["url"] or definitions.get(_label(found["ref"] or found["alt"]), "")


def _label(text: str) -> str:
    return " ".join(text.split()).casefold()


def _address(url: str) -> str:
    """Return the address that is meant by a link as it is written in markdown."""
    inner = url[1:-1] if url.startswith("<") and url.endswith(">") else url
    return html.unescape(_ESCAPED.sub(r"\1", inner)).strip()


def _refused(alt: str, url: str) -> str:
    """Return what stands in the place of a picture that is not shown."""
    return f"(picture not shown: {' '.join(filter(None, [one_line(alt), one_line(url)]))} )"


def _found(attachments: Mapping[str, dict[str, str]], name: str) -> dict[str, str]:
    """Return the attachment that a link means: by its name, as it is or percent-encoded."""
    by_name = {unquote(key): picture for key, picture in attachments.items()}
    return attachments.get(name) or by_name.get(unquote(name)) or {}
