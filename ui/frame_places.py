"""The frame's word on where one works and as what: the workspace switcher, viewing as a lesser role, and the
banners that say so. Plain forms: the whole page is another one afterwards."""

import html

from core.access import a_role
from core.team.reasons import lesser_roles
from ui.page import PageContext
from ui.places import LEAVE_SUPPORT, SWITCH, VIEW_AS
from ui.theme import icon_html


def switcher(page: PageContext) -> str:
    """The workspace's name; a button where there are others to go to."""
    name = html.escape(page.workspace_name)
    if not _others(page):
        return f'<li class="notphone">{name}</li>'
    return (
        '<li class="notphone"><button class="switcher" type="button" popovertarget="places">'
        f"<span>{name}</span>{icon_html('chevrons-up-down')}</button></li>"
    )


def places_menu(page: PageContext) -> str:
    """What the switcher opens."""
    if not _others(page):
        return ""
    lines = "".join(
        f'<button type="submit" name="workspace" value="{html.escape(place.workspace_id, quote=True)}"'
        f'{" aria-current=true" if place.is_here else ""}><span class="name">{html.escape(place.name)}</span>'
        f'<span class="role">{place.role.value.capitalize()}</span></button>'
        for place in page.places
    )
    return (
        f'<div class="menu places" id="places" popover><form method="post" action="{SWITCH}" '
        f'aria-label="Switch workspace">{lines}</form></div>'
    )


def person_lines(page: PageContext) -> str:
    """Lines of the person's menu: other workspaces on a phone, and the lesser roles to view as."""
    out = ""
    if _others(page):
        out += (
            '<button class="onlyphone" type="button" popovertarget="places">'
            f"{icon_html('layers')}Switch workspace</button>"
        )
    roles = () if page.actor.is_support or page.actor.view_as else lesser_roles(page.actor.role)
    if roles:
        lines = "".join(
            f'<button type="submit" name="role" value="{role.value}">{role.value.capitalize()}</button>'
            for role in roles
        )
        out += (
            f'<details class="viewas"><summary>{icon_html("eye")}View as</summary>'
            f'<form method="post" action="{VIEW_AS}" aria-label="View as">{lines}</form></details>'
        )
    return out


def banner(page: PageContext) -> str:
    """Says that this is not one's own view, with the way back."""
    if page.actor.is_support:
        return _bar(
            f"You look into {page.workspace_name} for the platform.",
            "Numbers and texts are masked, and every page you open is in its audit log.",
            LEAVE_SUPPORT,
            "Leave",
        )
    if page.actor.view_as is not None:
        return _bar(
            f"You see what {a_role(page.actor.view_as)} sees.",
            "Nothing can be changed meanwhile.",
            VIEW_AS,
            "Back to your own view",
        )
    return ""


def _bar(title: str, sentence: str, action: str, way_back: str) -> str:
    return (
        f'<div class="placebar" role="note"><p><b>{html.escape(title)}</b> {html.escape(sentence)}</p>'
        f'<form method="post" action="{action}"><button type="submit">{way_back}</button></form></div>'
    )


def _others(page: PageContext) -> bool:
    return any(not place.is_here for place in page.places)
