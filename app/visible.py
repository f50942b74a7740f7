"""Foreign text made safe to look at: every character that does not print is shown as its escape.

Ids, names and extraData come from other systems. On a terminal an escape sequence in them would be
carried out, and a bidirectional mark would reorder the line, so that operations would see an id
that does not exist. What prints stays as it is.
"""

import json


def visible(text: str) -> str:
    r"""Show controls, bidirectional marks, odd blanks and surrogates as `\x1b` or `\u202e`.

    A line break is shown too: whoever wants several lines calls this for each of them.
    """
    if text.isprintable():
        return text
    # Python's own notation for a character that does not print.
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def visible_json(text: str, *, ascii_only: bool = False) -> str:
    r"""Do the same in JSON's notation, `\u202e`, which leaves the document what it was.

    Line breaks stay: outside of its texts a document may have them, and inside it cannot.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(
        c if c == "\n" or (c.isprintable() and (c.isascii() or not ascii_only)) else _escaped(c)
        for c in text
    )


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"
