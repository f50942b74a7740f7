"""Facts and rows as one page of HTML, to be mailed or printed: it loads nothing, and runs nothing.

Every text is escaped, and what does not print in it is shown as on a terminal.
"""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final, TypeAlias

from app.console.output.layout import Fact, Facts, Rows
from app.visible import visible

Part: TypeAlias = Facts | Rows | str
"""What a page is made of; a text is a paragraph."""

_HEAD: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport"'
    ' content="width=device-width"><meta http-equiv="Content-Security-Policy" content="default-src'
    " 'none'; style-src 'unsafe-inline'\"><title>{title}</title><style>{style}</style></head><body>"
)
_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem;color:#1b1b1f;background:#fff}"
    "h1{font-size:1.3rem}h2{font-size:1.1rem;margin:2rem 0 .3rem}"
    "table{border-collapse:collapse;margin:.5rem 0}"
    "th,td{border:1px solid #d0d0d8;padding:.25rem .6rem;text-align:left;vertical-align:top;"
    "overflow-wrap:anywhere;font-variant-numeric:tabular-nums}"
    "th{background:#f3f3f7;font-weight:600}.amount{text-align:right;white-space:nowrap}"
    # A printed row stays on one sheet, and every sheet repeats what its columns are.
    "@media print{body{margin:0;font-size:10px}tr{break-inside:avoid}thead{display:"
    "table-header-group}h2{break-after:avoid}}"
)


def page(title: str, parts: Iterable[Part]) -> Iterator[str]:
    """Yield the page piece by piece."""
    yield _HEAD.format(title=_text(title), style=_STYLE)
    yield f"<h1>{_text(title)}</h1>"
    for part in parts:
        yield from _shown(part)
    yield "</body></html>\n"


def _shown(part: Part) -> Iterator[str]:
    match part:
        case str():
            yield f"<p>{_text(part)}</p>"
        case Facts(title=title, facts=facts):
            yield from _headed(title)
            rows = (f"<tr><th>{_text(k)}</th><td>{_cell(v)}</td></tr>" for k, v in facts.items())
            yield f"<table><tbody>{''.join(rows)}</tbody></table>"
        case Rows():
            yield from _headed(part.title)
            yield from _table(part)


def _headed(title: str) -> Iterator[str]:
    if title:
        yield f"<h2>{_text(title)}</h2>"


def _table(rows: Rows) -> Iterator[str]:
    classes = [' class="amount"' if name in rows.amounts else "" for name in rows.headings]
    head = "".join(
        f"<th{of}>{_text(name)}</th>" for of, name in zip(classes, rows.headings, strict=True)
    )
    yield f"<table><thead><tr>{head}</tr></thead><tbody>"
    for row in rows.rows:
        cells = (f"<td{of}>{_cell(cell)}</td>" for of, cell in zip(classes, row, strict=True))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table>"


def _cell(fact: Fact) -> str:
    if fact is None:
        return ""
    return "<br>".join(map(_text, fact)) if isinstance(fact, tuple) else _text(fact)


def _text(value: object) -> str:
    return escape(visible(str(value)))
