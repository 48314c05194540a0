"""Around every page: navigation, header, palette, help. Plain HTML beside NiceGUI's part, so that it is there
at the first paint and costs no elements."""

import html
import json
from collections.abc import Sequence
from typing import Any

from nicegui import ui

from core.monitoring.overview import Surroundings
from core.unit import Actor
from ui.format import initials, number, short_number
from ui.frame_bell import bell_html, bell_name
from ui.frame_places import banner, person_lines, places_menu, switcher
from ui.page import Page, PageContext
from ui.theme import brand_html, icon_html

BRAND = "Waypost"
PARTS = {"clock": "The clock", "worker": "The worker", "webhooks": "The webhook lane"}
# What the palette looks for with the words that were typed into it.
SEARCHES = (
    ("messages", "/messages", "messages.view"),
    ("dead letters", "/dead-letters", "dead_letters.view"),
    ("contacts", "/contacts", "contacts.view"),
)
KEYS = (
    ("Ctrl K", "Search and commands"),
    ("/", "Search on this page"),
    ("j  k", "Next and previous row"),
    ("Enter", "Open the row"),
    ("x", "Select the row"),
    ("?", "These keys"),
    ("Esc", "Close"),
)


def visible(pages: Sequence[Page], actor: Actor, *, demo: bool) -> list[Page]:
    """The pages that this person finds in the navigation and in the palette."""
    return [
        page
        for page in pages
        if page.group is not None and actor.can(page.permission) and (demo or not page.demo_only)
    ]


def draw(page: PageContext, pages: Sequence[Page]) -> None:
    """The frame, in the first HTML of the page."""
    demo = page.runtime.settings.waypost_demo
    shown = visible(pages, page.actor, demo=demo)
    ui.page_title(f"{page.title} · {BRAND}")
    ui.add_body_html(
        f'<a class="skip" href="#content">Skip to content</a>'
        f'<div id="chrome" data-now="{page.now().isoformat()}">'
        f"{_side(page, shown)}{_top(page, demo=demo)}</div>"
        f"{_palette()}"
    )


def finish(page: PageContext, pages: Sequence[Page]) -> None:
    """What is known only once the page is built: its commands and keys."""
    demo = page.runtime.settings.waypost_demo
    lines: list[dict[str, Any]] = [
        {"label": each.title, "icon": each.icon, "href": each.path, "words": each.keywords}
        for each in visible(pages, page.actor, demo=demo)
    ]
    lines += [
        {"label": f"Search {name} for", "icon": "search", "href": f"{path}?q=", "typed": True}
        for name, path, permission in SEARCHES
        if page.actor.can(permission)
    ]
    lines.append({"label": "Your account", "icon": "user", "href": "/account", "words": "password sessions"})
    lines += [
        {"label": each.label, "icon": each.icon, "key": each.key, "run": index}
        for index, each in enumerate(page.commands)
    ]
    keys = [*KEYS, *((each.key, each.label) for each in page.commands if each.key)]
    ui.add_body_html(
        f'<div id="commands" hidden data-commands="{html.escape(json.dumps(lines), quote=True)}"></div>'
        f"{_help(keys)}"
    )

    async def run(event: Any) -> None:
        index = event.args
        if isinstance(index, int) and 0 <= index < len(page.commands):
            await page.commands[index].run()

    ui.on("command", run)


def update(around: Surroundings) -> str:
    """The script that brings counts and health up to date, and says that updates go on."""
    sentence, is_well = health_sentence(around)
    known = {
        "waiting": _count(around.waiting),
        "open_letters": _count(around.open_letters),
        "open_alerts": _count(around.open_alerts),
        "bell": bell_name(around.open_alerts),
        "health": sentence,
        "well": is_well,
    }
    return f"waypost.pulse({json.dumps(known)})"


def health_sentence(around: Surroundings) -> tuple[str, bool]:
    stopped = [name for part, name in PARTS.items() if getattr(around.health, part) == "stopped"]
    if not stopped:
        return "All systems normal", True
    if len(stopped) == 1:
        return f"{stopped[0]} has stopped", False
    first, *others = stopped
    *between, last = (name.lower() for name in others)
    return f"{', '.join([first, *between])} and {last} have stopped", False


def _count(value: int | None) -> str:
    return short_number(value) if value else ""


def _side(page: PageContext, shown: Sequence[Page]) -> str:
    out = [
        '<nav class="side" id="side" aria-label="Main">',
        f'<a class="brand" href="/">{brand_html()}<span>{BRAND}</span></a><div class="nav">',
    ]
    for group in dict.fromkeys(each.group for each in shown):
        if group:
            out.append(f'<div class="navsec" id="nav-{html.escape(group)}">{html.escape(group)}</div>')
        out.append("<ul>")
        out += [_nav_line(page, each) for each in shown if each.group == group]
        out.append("</ul>")
    sentence, is_well = health_sentence(page.surroundings)
    out.append(
        f'</div><div class="sidefoot" role="status"><span class="dot{"" if is_well else " off"}"></span>'
        f'<a href="/health" data-health>{html.escape(sentence)}</a></div></nav>'
        '<div class="veil" data-nav-close></div>'
    )
    return "".join(out)


def _nav_line(page: PageContext, each: Page) -> str:
    current = ' aria-current="page"' if each.path == page.path else ""
    count = ""
    if each.count:
        value: int | None = getattr(page.surroundings, each.count)
        exact = f' title="{number(value)}"' if value else ""
        count = f'<span class="n" data-count="{each.count}"{exact}>{_count(value)}</span>'
    return (
        f'<li><a href="{each.path}"{current}>{icon_html(each.icon)}<span>{html.escape(each.title)}</span>'
        f"{count}</a></li>"
    )


def _top(page: PageContext, *, demo: bool) -> str:
    demo_bar = (
        '<div class="demobar" role="note"><b>Demo</b><span>Meta is a sandbox on this machine, nothing leaves '
        "it. Retries come after seconds.</span></div>"
        if demo
        else ""
    )
    name = html.escape(page.actor.name)
    letters = html.escape(initials(page.actor.name), quote=True)
    role = html.escape(page.actor.role.value.capitalize() if page.actor.role else "")
    return (
        f'<header class="top">{demo_bar}{banner(page)}<div class="topbar">'
        f'<button class="iconbtn onlynarrow" type="button" data-nav-open aria-label="Open navigation" '
        f'aria-expanded="false" aria-controls="side">{icon_html("menu")}</button>'
        '<nav aria-label="Breadcrumb"><ol class="crumbs">'
        f"{switcher(page)}"
        f'<li aria-current="page">{html.escape(page.title)}</li></ol></nav>'
        '<span class="grow"></span>'
        f'<button class="searchkey" type="button" data-palette>{icon_html("search")}'
        "<span>Search or jump to…</span><kbd>Ctrl K</kbd></button>"
        f'<button class="iconbtn onlyphone" type="button" data-palette aria-label="Search or jump to">'
        f"{icon_html('search')}</button>{bell_html(page)}"
        '<button class="iconbtn" type="button" data-theme-toggle aria-label="Dark mode" '
        f'aria-pressed="false" title="Dark mode">{icon_html("sun", "inlight")}{icon_html("moon", "indark")}'
        "</button>"
        f'<button class="avatar" type="button" popovertarget="person" aria-label="{letters}, your account">'
        f"{letters}</button>"
        '<div class="menu" id="person" popover>'
        f'<div class="who"><b>{name}</b><span>{role} · {html.escape(page.workspace_name)}</span></div>'
        f'<a href="/account">{icon_html("user")}Your account</a>{person_lines(page)}'
        f'<button type="button" data-help>{icon_html("keyboard")}Keyboard shortcuts<kbd>?</kbd></button>'
        f'<form method="post" action="/auth/sign-out"><button type="submit">{icon_html("log-out")}Sign out'
        f"</button></form></div>{places_menu(page)}</div></header>"
    )


def _palette() -> str:
    return (
        '<dialog class="palette" id="palette" aria-label="Command palette">'
        '<input type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" '
        'aria-label="Search pages and commands" placeholder="Type a command or page…" autocomplete="off" '
        'spellcheck="false"><ul id="palette-list" role="listbox" aria-label="Commands"></ul></dialog>'
    )


def _help(keys: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f"<div><dt>{''.join(f'<kbd>{html.escape(part)}</kbd>' for part in key.split())}</dt>"
        f"<dd>{html.escape(what)}</dd></div>"
        for key, what in keys
    )
    return (
        '<dialog class="sheet" id="help" aria-labelledby="help-title"><div class="sheethead">'
        '<h2 id="help-title">Keyboard shortcuts</h2>'
        f'<button class="iconbtn" type="button" data-close aria-label="Close">{icon_html("x")}</button></div>'
        f'<dl class="keys">{rows}</dl></dialog>'
    )
