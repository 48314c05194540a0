"""A page without the frame: for those who are not signed in, and for when nothing else can be drawn."""

import html

from starlette.responses import HTMLResponse

from ui.theme import brand_html, head


def bare_page(title: str, sentence: str, *, status: int) -> HTMLResponse:
    """One of our own sentences and a way back; never the text of an exception."""
    return HTMLResponse(
        '<!doctype html><html lang="en-GB"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)} · Waypost</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="/favicon.ico">{head()}</head><body class="signin"><main>'
        f'<div class="brand">{brand_html()}<span>Waypost</span></div>'
        f'<div class="card fault"><h1>{html.escape(title)}</h1><p>{html.escape(sentence)}</p>'
        '<a class="btnlink" href="/">Try again</a></div></main></body></html>',
        status,
    )
